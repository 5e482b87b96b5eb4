//! Who runs a deploy: what CI says of itself in its environment, else the user and the machine.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// A person's or a robot's name.
    pub who: String,
    /// The machine, or the CI run's address.
    pub from: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch or tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

impl By {
    /// Reads the variables of GitHub Actions, GitLab CI, and otherwise the login's. `host` is this
    /// machine's name.
    pub fn of(variable: impl Fn(&str) -> Option<String>, host: &str) -> Self {
        let first = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| variable(name).filter(|value| !value.is_empty()))
        };
        let github = || {
            let (server, repository, run) = (
                variable("GITHUB_SERVER_URL")?,
                variable("GITHUB_REPOSITORY")?,
                variable("GITHUB_RUN_ID")?,
            );
            Some(format!("{server}/{repository}/actions/runs/{run}"))
        };
        Self {
            who: first(&[
                "GITHUB_ACTOR",
                "GITLAB_USER_LOGIN",
                "SUDO_USER",
                "USER",
                "LOGNAME",
            ])
            .unwrap_or_else(|| "somebody".to_owned()),
            from: github()
                .or_else(|| first(&["CI_JOB_URL", "BUILD_URL"]))
                .unwrap_or_else(|| host.to_owned()),
            commit: first(&["GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT"]),
            branch: first(&["GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "GIT_BRANCH"]),
        }
    }
}

impl std::fmt::Display for By {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.who, self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_github_actions_names_its_actor_commit_and_page() {
        let variable = |name: &str| {
            let value = match name {
                "GITHUB_ACTOR" => "mona",
                "GITHUB_SHA" => "abc123",
                "GITHUB_REF_NAME" => "main",
                "GITHUB_SERVER_URL" => "https://github.example",
                "GITHUB_REPOSITORY" => "mona/site",
                "GITHUB_RUN_ID" => "7",
                "USER" => "runner",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let by = By::of(variable, "fv-az1");
        assert_eq!(
            by.to_string(),
            "mona on https://github.example/mona/site/actions/runs/7"
        );
        assert_eq!(
            (by.commit.as_deref(), by.branch.as_deref()),
            (Some("abc123"), Some("main"))
        );
    }

    #[test]
    fn a_person_at_a_desk_is_told_by_login_and_machine() {
        let by = By::of(|name| (name == "USER").then(|| "ada".to_owned()), "desk");
        assert_eq!((by.to_string().as_str(), by.commit), ("ada on desk", None));
    }
}
