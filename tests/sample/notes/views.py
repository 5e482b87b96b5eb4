import os

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from notes.models import Note

SHOWN = 20


def index(request: HttpRequest) -> HttpResponse:
    """The front page: which release answers on which instance, and the newest notes."""
    context = {
        "release": os.environ.get("SPOTBOOT_RELEASE", "none"),
        "instance": os.environ.get("SPOTBOOT_INSTANCE", "none"),
        "notes": Note.objects.all()[:SHOWN],
    }
    return render(request, "notes/index.html", context)


def health(request: HttpRequest) -> HttpResponse:
    """200 once the site can do its work: the table is there and answers."""
    Note.objects.exists()
    return HttpResponse("ok\n", content_type="text/plain")
