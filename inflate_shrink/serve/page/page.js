document.title = (await (await fetch("/about")).json()).title;
