//! `[app]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::super::reader::{At, Table};
use super::super::{App, AppKind, Health, ReleaseOn, SecretRef, values, wsgi};
use super::checked;

const DEFAULT_HEALTH_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn read(table: Table<'_>, has_mirror: bool) -> Option<App> {
    let kind = read_app_kind(&table, has_mirror);
    let build = table.string("build").map(|at| at.value);
    let release = table.string("release").map(|at| at.value);
    let release_on = [ReleaseOn::Folder, ReleaseOn::Fleet].map(|on| (on.word(), on));
    let release_on = table.one_of("release_on", table.string("release_on"), &release_on);
    let static_files = read_static_files(&table);
    let health = read_health(table.table("health"));
    let env = read_env(&table);
    let secrets = read_secrets(&table, &env, kind.as_ref());
    let instance_credentials = table.boolean("instance_credentials").unwrap_or(false);
    if !table.is_present() {
        table.reject_table("[app] is missing; its kind is python, command, static or s3");
    }
    table.finish();
    Some(App {
        kind: kind?,
        build,
        release,
        release_on,
        static_files,
        health,
        env,
        secrets,
        instance_credentials,
    })
}

fn read_app_kind(table: &Table<'_>, has_mirror: bool) -> Option<AppKind> {
    let kinds = [
        ("python", "python"),
        ("command", "command"),
        ("static", "static"),
        ("s3", "s3"),
    ];
    let kind = table.one_of(
        "kind",
        if table.is_present() {
            table.required("kind")
        } else {
            None
        },
        &kinds,
    );
    let wsgi = table.string("wsgi");
    let command = table.string("command");
    for (key, given, belongs) in [("wsgi", &wsgi, "python"), ("command", &command, "command")] {
        if let (Some(at), Some(kind)) = (given, kind)
            && kind != belongs
        {
            table.reject(
                key,
                at,
                format!("has no effect with kind = \"{kind}\"; it belongs to kind = \"{belongs}\""),
            );
        }
    }
    match kind? {
        "python" if wsgi.is_none() => {
            table.lacks(
                "wsgi",
                "app.wsgi is missing; kind python wants what gunicorn serves, as in \"mysite.wsgi:application\" or \"app:create_app()\"",
            );
            None
        }
        "python" => checked(table, "wsgi", wsgi, wsgi::target).map(|wsgi| AppKind::Python { wsgi }),
        "command" => Some(AppKind::Command {
            command: command.map(|at| at.value),
        }),
        "static" => Some(AppKind::Static),
        _ if has_mirror => Some(AppKind::S3),
        _ => {
            table.reject_table(
                "app.kind = \"s3\" needs a [failover] table: the site is forwarded to its bucket",
            );
            None
        }
    }
}

fn read_health(table: Table<'_>) -> Health {
    let path = checked(&table, "path", table.string("path"), values::url_path)
        .unwrap_or_else(|| "/".to_owned());
    let timeout = checked(&table, "timeout", table.string("timeout"), values::duration)
        .unwrap_or(DEFAULT_HEALTH_TIMEOUT);
    table.finish();
    Health { path, timeout }
}

fn read_static_files(table: &Table<'_>) -> BTreeMap<String, PathBuf> {
    let entry = |(url, at): (String, At<String>)| match (
        values::url_folder(&url),
        values::folder_inside_release(&at.value),
    ) {
        (Ok(url), Ok(folder)) => Some((url, folder)),
        (Err(why), _) => {
            table.reject("static", &at, format!("serves {url:?}, which {why}"));
            None
        }
        (_, Err(why)) => {
            table.reject("static", &at, format!("{:?} {why}", at.value));
            None
        }
    };
    table
        .string_map("static")
        .into_iter()
        .filter_map(entry)
        .collect()
}

fn read_env(table: &Table<'_>) -> BTreeMap<String, String> {
    let entry = |(name, at): (String, At<String>)| match values::variable(&name, &at.value) {
        Ok(()) => Some((name, at.value)),
        Err(why) => {
            table.reject("env", &at, format!("{name:?} {why}"));
            None
        }
    };
    table
        .string_map("env")
        .into_iter()
        .filter_map(entry)
        .collect()
}

fn read_secrets(
    table: &Table<'_>,
    env: &BTreeMap<String, String>,
    kind: Option<&AppKind>,
) -> BTreeMap<String, SecretRef> {
    let entry = |(name, at): (String, At<String>)| {
        let read = values::secret_name(&name, env).map_err(|why| format!("{name:?} {why}"));
        // What stands there may be the secret itself, so it is not repeated.
        let read =
            read.and_then(|()| SecretRef::parse(&at.value).map_err(|why| format!("{name} {why}")));
        read.map_err(|why| table.reject("secrets", &at, why))
            .ok()
            .map(|place| (name, place))
    };
    let secrets: BTreeMap<_, _> = table
        .string_map("secrets")
        .into_iter()
        .filter_map(entry)
        .collect();
    if !secrets.is_empty() && kind == Some(&AppKind::S3) {
        table.reject_table(
            "app.secrets has no effect with kind = \"s3\": no program of the site's runs there",
        );
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Site;
    use crate::config::parse::fixtures::{SMALLEST, problems};

    #[test]
    fn the_release_command_is_for_each_folder_or_for_the_fleet() {
        assert_eq!(
            Site::parse("site.toml", SMALLEST).unwrap().app.release_on,
            None
        );
        let folder =
            Site::parse("site.toml", &format!("{SMALLEST}release_on = \"folder\"\n")).unwrap();
        assert_eq!(folder.app.release_on, Some(ReleaseOn::Folder));
        let found = problems(&format!("{SMALLEST}release_on = \"flet\"\n"));
        assert!(found.contains("site.toml:7: app.release_on is \"flet\"; it is one of folder, fleet; did you mean fleet?"), "{found}");
    }

    #[test]
    fn what_would_break_out_of_its_place_is_refused() {
        for line in [
            "health = { path = \"/a b\" }",
            "static = { \"/s/\" = \"../../etc\" }",
            "static = { \"/s;}/\" = \"files\" }",
            "env = { \"A=B\" = \"x\" }",
            "env = { SPOTBOOT_SOCKET = \"x\" }",
            "wsgi = \"a:b\"",
        ] {
            assert!(
                Site::parse("site.toml", &format!("{SMALLEST}{line}\n")).is_err(),
                "{line} was taken"
            );
        }
    }

    #[test]
    fn a_secret_is_a_place_and_its_name_is_the_apps_alone() {
        let text = format!(
            "{SMALLEST}env = {{ TOKEN = \"x\" }}\n[app.secrets]\nKEY = \"ssm:/site/key\"\n"
        );
        let site = Site::parse("site.toml", &text).unwrap();
        assert_eq!(
            site.app.secrets["KEY"],
            SecretRef::Parameter("/site/key".into())
        );
        let found = problems(&format!(
            "{text}TOKEN = \"ssm:/site/token\"\nSPOTBOOT_DATA = \"ssm:/a\"\nPORT = \"ssm:/a\"\n\"A-B\" = \"ssm:/a\"\nPASSWORD = \"hunter2\"\nN = 1\n"
        ));
        for expected in [
            "site.toml:10: app.secrets \"TOKEN\" stands in [app] env too",
            "site.toml:11: app.secrets \"SPOTBOOT_DATA\" is spotboot's own to set",
            "site.toml:12: app.secrets \"PORT\" is spotboot's own to set",
            "site.toml:13: app.secrets \"A-B\" is not a variable's name",
            "site.toml:14: app.secrets PASSWORD names no secret's place; it begins with ssm: or secretsmanager:",
            "site.toml:15: app.secrets.N is integer, not a string",
        ] {
            assert!(found.contains(expected), "no {expected:?} in:\n{found}");
        }
        assert!(!found.contains("hunter2"), "{found}");
    }
}
