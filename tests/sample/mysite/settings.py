"""Settings for a site behind a proxy on the same machine; everything that differs between machines comes from the environment."""

import os
from pathlib import Path

from mysite import secret_key

BASE_DIR = Path(__file__).resolve().parent.parent

# The app's one writable folder. It outlives a release, not the instance: the database here is a throw-away, made anew by `migrate` on each
# instance. What must outlive the instance belongs in a database server.
DATA_DIR = Path(os.environ.get("SPOTBOOT_DATA") or BASE_DIR)

SECRET_KEY = secret_key.load_or_make(DATA_DIR / "secret_key")
DEBUG = False

# Comma-separated, the site's names. Without it only this machine may ask.
SITE_HOSTS = [host.strip() for host in os.environ.get("SITE_HOSTS", "").split(",") if host.strip()]
ALLOWED_HOSTS = SITE_HOSTS or ["localhost", "127.0.0.1", "[::1]"]

# The proxy ends TLS, speaks to us over a unix socket and always sets this header itself.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in SITE_HOSTS]
SESSION_COOKIE_SECURE = bool(SITE_HOSTS)
CSRF_COOKIE_SECURE = bool(SITE_HOSTS)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "notes",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "mysite.urls"
WSGI_APPLICATION = "mysite.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA_DIR / "db.sqlite3",
        # Readers go on while one writes; a writer waits for its turn instead of failing.
        "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL;", "transaction_mode": "IMMEDIATE", "timeout": 10},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

# Errors go to standard error, where whoever runs the site keeps its log.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
