"""Installation of the package; constraints/ holds the exact versions it is tested with."""

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

ROOT = Path(__file__).resolve().parent
if fcntl:  # several installations at once from one tree take turns in it: they write the same files
    turn = open(ROOT / "setup.py")
    fcntl.flock(turn, fcntl.LOCK_EX)
# Read, not imported: importing the package would need Paddle to be installed already.
VERSION = re.search(
    r'^__version__ = "([^"]+)"', (ROOT / "inflate_shrink" / "__init__.py").read_text(encoding="utf-8"), re.M
).group(1)
# Loaded with ctypes, so it is bound to no Python version. Where it cannot be compiled, NumPy does its work.
# Each source says which instruction set it is for; no flag here may name one, or the library runs on few machines.
KERNEL = "inflate_shrink/kernel"
kernel = Extension(
    "inflate_shrink.kernel._kernel",
    sources=sorted(str(path.relative_to(ROOT)) for path in (ROOT / KERNEL / "csrc").glob("*.cpp")),
    depends=["setup.py", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / KERNEL / "csrc").glob("*.h"))],
    extra_compile_args=["-std=c++17", "-O3", "-g0", "-pthread", "-Wno-psabi", "-fno-math-errno", "-fno-trapping-math"],
    extra_link_args=["-pthread"],
    optional=True,
)
DOCS = ["mkdocs-material>=9.6,<10", "mkdocstrings[python]>=1,<2"]
SERVE = ["fastapi", "uvicorn", "python-multipart", "prometheus_client"]


class BuildKernel(build_ext):
    """The kernel is a plain library, without a Python version in its name, compiled on all cores."""

    def get_ext_filename(self, fullname):
        return f"{fullname.replace('.', os.sep)}.so"

    def build_extension(self, ext):
        """Copy the tree's library to where setuptools builds, if it is newer than all that it is made of; or build it."""
        here, target = ROOT / self.get_ext_filename(ext.name), Path(self.get_ext_fullpath(ext.name))
        changed = max((ROOT / path).stat().st_mtime for path in [*ext.sources, *ext.depends])
        if not self.force and here.is_file() and here.stat().st_mtime > changed:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(here, target)
            return
        one_after_another = self.compiler.compile

        def on_all_cores(sources, **options):
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                return sum(pool.map(lambda source: one_after_another([source], **options), sources), [])

        self.compiler.compile = on_all_cores
        super().build_extension(ext)


class BuildPackage(build_py):
    """The package has the configs of a clone in it, which -c configs/NAME.yaml finds wherever the command runs."""

    def run(self):
        super().run()
        if not self.editable_mode:
            self.copy_tree("configs", os.path.join(self.build_lib, "inflate_shrink", "configs"))


class BuildWheel(bdist_wheel):
    """A wheel of one machine's instructions, for every Python 3."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


setup(
    name="inflate-shrink",
    version=VERSION,
    description="Inflate and Shrink: fast text-image retrieval with PaddlePaddle (EMNLP 2021)",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.9",
    packages=find_packages(include=["inflate_shrink*"]),
    ext_modules=[kernel],
    cmdclass={"build_ext": BuildKernel, "build_py": BuildPackage, "bdist_wheel": BuildWheel},
    entry_points={"console_scripts": ["inflate-shrink = inflate_shrink.commands:main"]},
    package_data={
        "inflate_shrink": ["py.typed", *(f"**/*.{kind}" for kind in ("yaml", "html", "css", "js", "svg", "cu", "cuh"))]
    },
    install_requires=[
        # Paddle 2.6.2 and paddlenlp's tool-helpers are built against NumPy 1.
        "numpy<2",
        "pyyaml",
        "pillow",
        # Runs the networks that describe users' own photos.
        "onnxruntime",
        # Reads texts for networks of others, of photos without captions.
        "tokenizers",
        # Draws the figures and the attention pictures.
        "matplotlib",
        "tqdm",
        # Weights in files that cannot run code.
        "safetensors",
        # The last release that runs on both Paddle 2.6 and Paddle 3.
        "paddlenlp==2.8.1",
        # The rest is what paddlenlp 2.8.1 asks for without an upper bound.
        # Later releases have no aistudio_sdk.hub.download.
        "aistudio-sdk==0.2.6",
        # Later releases drop names that paddlenlp imports (repo_type_and_id_from_hf_id).
        "huggingface_hub<0.30",
        # Later releases need a newer huggingface_hub or dill than the above allow.
        "datasets<3.7",
        # Later releases, which datasets would pull in, refuse NumPy 1.
        "pyarrow<25",
    ],
    extras_require={
        # A range, so that a constraints file can choose; pip alone takes 3.3.1.
        "cpu": ["paddlepaddle>=2.6.2,<3.4"],
        # The last GPU build on PyPI.
        "gpu": ["paddlepaddle-gpu==2.6.2"],
        # Photos of phones.
        "heic": ["pillow-heif"],
        # Region features kept in LMDB.
        "lmdb": ["lmdb"],
        # Approximate search of many vectors, where it is faster than our scan.
        "faiss": ["faiss-cpu>=1.12,<2"],
        # Indexes pushed to Qdrant.
        "qdrant": ["qdrant-client>=1.16"],
        # A site of docs/.
        "docs": DOCS,
        # The page and the service.
        "serve": SERVE,
        # Peers of tools/benchmark.py search and train; torch's CPU build is to be installed first. Later pylate releases pin
        # another torch.
        "bench": [
            "torch==2.13.0",
            "ninja",
            "colbert-ai==0.2.22",
            "pylate==1.2.0",
            "maxsim-cpu==0.1.0",
            "faiss-cpu>=1.12,<2",
        ],
        "test": [
            "pytest",
            "pytest-xdist",
            "hypothesis",
            "ruff",
            # Builds the wheel.
            "setuptools>=70.1",
            "onnx",
            "lmdb",
            "pillow-heif",
            "scikit-learn",
            "faiss-cpu>=1.12,<2",
            "qdrant-client>=1.16",
            *DOCS,
            *SERVE,
            # What Starlette's test client asks with.
            "httpx",
            # Requests made up from the service's own description.
            "schemathesis>=4",
            # The page is tested in a browser, and asked whether those who cannot see or point can use it.
            "selenium",
            "axe-core-python",
        ],
    },
)
