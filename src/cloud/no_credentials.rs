//! Why there are no credentials for AWS.

/// Why there are no credentials, and what the user can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct NoCredentials {
    pub(super) message: String,
    pub(super) hint: String,
}

impl NoCredentials {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(super) fn unknown_profile(name: &str, file: &str) -> Self {
        let message = format!("profile `{name}` does not exist in {file}");
        Self::new(message, "`aws configure list-profiles` lists those that do")
    }

    /// `cause`: what is wrong with the profile file.
    pub(super) fn unreadable(cause: String) -> Self {
        Self::new(cause, "mend the file, or name another with AWS_CONFIG_FILE")
    }

    pub(super) fn logged_out(session: &str, profile: &str, command: &str) -> Self {
        let message =
            format!("the {session} session of profile `{profile}` is missing or has expired");
        Self::new(message, format!("run `{command} --profile {profile}`"))
    }
}
