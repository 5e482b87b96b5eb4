//! Whose token of GitHub Actions CI's role trusts: a token's subject tells the repository, and the
//! branch or the environment that its job is of.

use crate::cli::Init;

const USUAL_BRANCH: &str = "main";

/// The jobs of a repository that may deploy.
pub struct GitHubJobs<'a> {
    repository: &'a str,
    branch: Option<&'a str>,
    environment: Option<&'a str>,
}

impl<'a> GitHubJobs<'a> {
    /// A job in an environment has no branch in its subject. Which branches an environment takes is
    /// told to GitHub, so that a branch beside it would let jobs pass by its rules: it has to be
    /// asked for.
    ///
    /// `None` without `--github`.
    pub fn of(init: &'a Init) -> Option<Self> {
        let environment = init.environment.as_deref();
        let usual = environment.is_none().then_some(USUAL_BRANCH);
        Some(Self {
            repository: init.github.as_deref()?,
            branch: init.branch.as_deref().or(usual),
            environment,
        })
    }

    /// Patterns of `StringLike` for the subjects of their tokens (GitHub docs, "OpenID Connect
    /// reference", sections "Example subject claims" and "Immutable subject claims").
    ///
    /// Tokens of repositories that were made, renamed or moved since July 2026 have GitHub's numbers
    /// behind both names, and older repositories may ask for them. A `*` stands for a number that is
    /// not known here. It takes in no other repository of the owner's: what follows that one's name
    /// would have to hold the rest of the pattern, with a `:`, which no branch has and which GitHub
    /// writes as `%3A` in environments.
    pub fn subjects(&self) -> Vec<String> {
        let branch = self.branch.map(|name| format!("ref:refs/heads/{name}"));
        let environment = self.environment.map(|name| format!("environment:{name}"));
        let contexts: Vec<String> = branch.into_iter().chain(environment).collect();
        let of = |repository: &str| {
            contexts
                .iter()
                .map(|context| format!("repo:{repository}:{context}"))
                .collect::<Vec<String>>()
        };
        match self.repository.split_once('/') {
            Some((owner, name)) if !owner.contains('@') => {
                [of(self.repository), of(&format!("{owner}@*/{name}@*"))].concat()
            }
            _ => of(self.repository),
        }
    }

    /// For a sentence, after the repository.
    pub fn whose(&self) -> String {
        let branch = self.branch.map(|name| format!("branch {name}"));
        let environment = self.environment.map(|name| format!("environment {name}"));
        let parts: Vec<String> = branch.into_iter().chain(environment).collect();
        parts.join(" and ")
    }
}
