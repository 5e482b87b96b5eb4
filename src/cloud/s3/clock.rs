//! S3's clock, as its answers tell it: the only one that two machines share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use time::OffsetDateTime;

/// The `Date` of the last answer, and when it came by our own steady clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock(Arc<Mutex<Option<(OffsetDateTime, Instant)>>>);

impl Clock {
    pub(super) fn now(&self) -> Option<OffsetDateTime> {
        let seen = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.map(|(date, at)| date + at.elapsed())
    }

    fn see(&self, date: &str) {
        let date = DateTime::from_str(date, Format::HttpDate)
            .ok()
            .and_then(|date| super::to_time(&date));
        if let Some(date) = date {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.see(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn there_is_no_time_before_the_first_answer() {
        assert_eq!(Clock::default().now(), None);
    }

    #[test]
    fn clones_share_the_date_of_the_last_answer() {
        let clock = Clock::default();
        clock.clone().see("Fri, 20 Nov 2026 10:00:00 GMT");
        let past = clock.now().unwrap() - datetime!(2026-11-20 10:00 UTC);
        assert!(past >= Duration::ZERO && past < Duration::MINUTE, "{past}");
    }

    #[test]
    fn a_date_that_is_none_changes_nothing() {
        let clock = Clock::default();
        clock.see("Fri, 20 Nov 2026 10:00:00 GMT");
        clock.see("yesterday");
        assert!(clock.now().is_some());
    }
}
