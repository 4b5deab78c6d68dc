"""The service, running beside what asks it, with troubles to order."""

import asyncio
import json
import socket
import threading


class Service:
    """The service in a thread of this process, with troubles to order.

    Attributes:
        address: of its page. asked: bodies of POST /search, in order. busy: how many requests are refused next.
        delays: seconds before each of the next searches begins. photos: folder of its photos, if a test needs it.
    """

    def __init__(self, app, photos=None):
        import uvicorn

        self._app, self.photos, self.asked, self.busy, self.delays = app, photos, [], 0, []
        listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        self._server = uvicorn.Server(
            uvicorn.Config(self._call, interface="asgi3", log_level="error", timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._server.run, args=([listening],), daemon=True)
        self._thread.start()

    async def _call(self, scope, receive, send):
        from inflate_shrink.serve.refusal import busy

        async def heard():
            message = await receive()
            if scope["path"] == "/search" and message.get("body"):
                self.asked.append(json.loads(message["body"]))
            return message

        if scope["type"] == "http" and scope["path"].startswith("/search"):
            if self.busy:
                self.busy -= 1
                return await busy().response(scope, receive, send)
            if self.delays:
                await asyncio.sleep(self.delays.pop(0))
        await self._app(scope, heard if scope["type"] == "http" else receive, send)

    def close(self):
        """End it."""
        self._server.should_exit = True
        self._thread.join()
