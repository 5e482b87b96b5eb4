//! The app's two places on this machine: a release starts in the one that is free, beside the one
//! that serves.

/// Each has a service, a socket and a port of its own; the data folder is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Slot {
    #[default]
    A,
    B,
}

impl Slot {
    /// Both places, the first one first.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The place that is free while this one serves.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The service's name. The first is also that of a spotboot which knew one place only, whose
    /// app is so adopted.
    pub fn service(self) -> &'static str {
        match self {
            Self::A => "spotboot-app",
            Self::B => "spotboot-app-b",
        }
    }

    /// What the lines of a service are kept under: `web` for `spotboot-web`, and `app` for both of
    /// the app's.
    pub fn kind_of(service: &str) -> &str {
        match service.strip_prefix("spotboot-") {
            Some("app-b") => "app",
            Some(kind) => kind,
            None => service,
        }
    }

    /// What the files of this place begin with.
    pub(super) fn stem(self) -> &'static str {
        match self {
            Self::A => "app",
            Self::B => "app-b",
        }
    }
}
