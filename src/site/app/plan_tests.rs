use super::super::fixtures::{plan, site, try_plan};
use super::*;

#[test]
fn without_a_command_the_procfile_has_it_and_without_both_the_error_says_so() {
    let (_folder, own) = plan(
        &site("command", "./own $SPOTBOOT_SOCKET"),
        &[("Procfile", "web: ./other")],
    );
    assert_eq!(
        own.program,
        AppProgram::Line("./own $SPOTBOOT_SOCKET".into())
    );
    let (_folder, from_procfile) = plan(
        &site("command", ""),
        &[("Procfile", "web: ./other --port $PORT\nrelease: ./migrate")],
    );
    assert_eq!(
        from_procfile.program,
        AppProgram::Line("./other --port $PORT".into())
    );
    assert_eq!(from_procfile.release.as_deref(), Some("./migrate"));
    let error = try_plan(&site("command", ""), &[])
        .1
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("[app] command") && error.contains("Procfile"),
        "{error}"
    );
}

#[test]
fn each_kind_is_reached_in_its_own_way() {
    let (folder, python) = plan(&site("python", "x:y"), &[]);
    assert_eq!(
        python.upstream,
        Backend::Unix(folder.path().join("run/app/app.sock"))
    );
    let (folder, files) = plan(&site("static", ""), &[]);
    assert_eq!(
        files.upstream,
        Backend::Files(folder.path().join("state/releases/1.0"))
    );
    assert_eq!(files.program, AppProgram::None);
    let (_folder, website) = plan(&site("s3", ""), &[]);
    assert_eq!(website.upstream, Backend::Website("mirror".into()));
    assert!(AppPlan::new(&site("static", ""), "i-1", None, &website.paths, None).is_err());
}

#[test]
fn the_port_is_the_sites_or_the_one_of_the_run_before_or_a_free_one() {
    let mut site = site("command", "./server $PORT");
    let (_folder, plan) = plan(&site, &[]);
    let Backend::Tcp(free) = plan.upstream else {
        panic!("{plan}")
    };
    assert!(free.ip().is_loopback() && free.port() > 0);
    std::fs::write(plan.paths.app_port(Slot::A), "4321").unwrap();
    let again = |site: &Site| {
        AppPlan::new(
            site,
            "i-1",
            Some(UnpackedPackage {
                version: "1.0".into(),
                root: plan.root.clone(),
            }),
            &plan.paths,
            None,
        )
    };
    let kept = again(&site).unwrap();
    assert_eq!(kept.upstream, Backend::Tcp(([127, 0, 0, 1], 4321).into()));
    site.app.env.insert("PORT".into(), "9000".into());
    let own = again(&site).unwrap();
    assert_eq!(own.upstream, Backend::Tcp(([127, 0, 0, 1], 9000).into()));
    site.app.env.insert("PORT".into(), "secret".into());
    let error = format!("{:#}", again(&site).unwrap_err());
    assert!(
        !error.contains("secret"),
        "no value of the environment in an error: {error}"
    );
}

#[test]
fn a_plan_shows_what_it_does_and_no_value_of_the_environment() {
    let mut site = site("python", "mysite.wsgi");
    site.app.env.insert("SECRET".into(), "hunter2".into());
    site.app.build = Some("make".into());
    let (_folder, plan) = plan(
        &site,
        &[
            ("requirements.txt", "django"),
            ("Procfile", "release: ./migrate"),
        ],
    );
    let shown = plan.to_string();
    assert!(
        shown.starts_with("gunicorn serves mysite.wsgi, with requirements.txt; reached at /"),
        "{shown}"
    );
    assert!(
        shown.ends_with("; build by `make`; release by `./migrate`") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn static_folders_that_the_release_lacks_are_an_error_that_says_what_to_do() {
    let mut site = site("static", "");
    site.app
        .static_files
        .insert("/static/".into(), "staticfiles".into());
    let (_folder, with) = super::super::fixtures::app(&site, &[("staticfiles/a.css", "")]);
    assert_eq!(with.static_folders().unwrap()[0].0, "/static/");
    let (_folder, without) = super::super::fixtures::app(&site, &[]);
    assert!(
        without
            .static_folders()
            .unwrap_err()
            .to_string()
            .contains("[app] build")
    );
}
