//! `[app]`.

use super::Absent::{Is, Means, Refused};
use super::ConfigPart::{Release, Site};
use super::ValueType::{Boolean, OneOf, Table, Text, TextMap};
use super::{FIRST, SiteKey, key};

pub(super) const KEYS: &[SiteKey] = &[
    key(
        "app",
        Table,
        Refused,
        FIRST,
        Release,
        "What the site runs.",
    ),
    key(
        "app.kind",
        OneOf(&["python", "command", "static", "s3"]),
        Refused,
        FIRST,
        Release,
        "gunicorn serves a Python app, a command of the package serves, nginx serves the package's files, or nginx forwards to failover.bucket.",
    ),
    key(
        "app.wsgi",
        Text,
        Means("kind python is refused"),
        FIRST,
        Release,
        "Kind python: what gunicorn serves, as in \"mysite.wsgi:application\", or a factory, \"app:create_app('production', debug=False)\", whose arguments are quoted text, numbers, True, False or None.",
    ),
    key(
        "app.command",
        Text,
        Means("the `web:` line of the package's Procfile"),
        FIRST,
        Release,
        "Kind command: the shell line that serves; the program listens on $SPOTBOOT_SOCKET or $PORT.",
    ),
    key(
        "app.build",
        Text,
        Means("nothing is run"),
        FIRST,
        Release,
        "A shell line that each instance runs after it has unpacked a release.",
    ),
    key(
        "app.release",
        Text,
        Means("the `release:` line of the package's Procfile"),
        FIRST,
        Release,
        "A shell line that runs before the app starts, where app.release_on says; the line has to be safe to run again.",
    ),
    key(
        "app.release_on",
        OneOf(&["folder", "fleet"]),
        Means("\"folder\", with a warning"),
        FIRST,
        Release,
        "When the release command runs: once per release in each data folder (SQLite, files), or once per release in the fleet (a database server).",
    ),
    key(
        "app.static",
        TextMap,
        Is("{}"),
        FIRST,
        Release,
        "Folders of the release that nginx serves, by their URLs, as in { \"/static/\" = \"staticfiles\" }.",
    ),
    key(
        "app.health",
        Table,
        Means("the defaults of its keys"),
        FIRST,
        Release,
        "When the app counts as ready.",
    ),
    key(
        "app.health.path",
        Text,
        Is("\"/\""),
        FIRST,
        Release,
        "The app is ready when this path answers 2xx, or redirects to anything but itself.",
    ),
    key(
        "app.health.timeout",
        Text,
        Is("\"30s\""),
        FIRST,
        Release,
        "How long the app may take from its start to its first healthy answer: 1ms to 10m.",
    ),
    key(
        "app.env",
        TextMap,
        Is("{}"),
        FIRST,
        Release,
        "Further variables for the app.",
    )
    .private(),
    key(
        "app.secrets",
        TextMap,
        Is("{}"),
        FIRST,
        Release,
        "Variables for the app whose values are kept elsewhere: \"ssm:/path\" or \"secretsmanager:id#key\".",
    )
    .private(),
    key(
        "app.instance_credentials",
        Boolean,
        Is("false"),
        FIRST,
        Site,
        "Whether the app may reach the instance's metadata service, and with it the instance's credentials.",
    ),
];
