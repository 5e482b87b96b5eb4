//! Where the app runs on this machine: beside whatever serves already, never in its place before it
//! is ready.

use std::rc::Rc;

use anyhow::Result;
use tracing::warn;

use super::Instance;
use crate::host::slot::Slot;
use crate::site::app::InstalledApp;
use crate::site::web::Former;

/// An app that knows where it is to run.
pub struct Placed {
    pub app: Rc<InstalledApp>,
    /// Another app serves visitors meanwhile.
    beside: bool,
    /// The app ran before this boot.
    adopted: bool,
}

impl Placed {
    /// Whether visitors are led to the app only once it is ready: another app serves them
    /// meanwhile, or only then is it known where this one listens.
    pub fn is_shown_once_ready(&self) -> bool {
        self.beside || !self.app.says_where_it_listens()
    }
}

/// What runs in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occupant {
    Nobody,
    /// The app that is to run, by the same definition.
    Same,
    Other,
}

impl Instance {
    /// Finds the app where it runs already (after a crash or an upgrade of ours), else a place
    /// where it is in nobody's way.
    pub async fn place(&self, app: InstalledApp, former: &Former) -> Result<Placed> {
        if app.slot().is_none() {
            return Ok(Placed {
                app: Rc::new(app),
                beside: false,
                adopted: false,
            });
        }
        let [a, b] = Slot::ALL.map(|slot| app.in_slot(slot));
        let places = [a?, b?];
        let occupants = [
            self.occupant(&places[0]).await?,
            self.occupant(&places[1]).await?,
        ];
        let serving = Slot::ALL
            .into_iter()
            .zip(&places)
            .find(|(_, app)| self.is_asked(app, former))
            .map(|(slot, _)| slot);
        let slot = if app.can_run_beside() {
            choose(occupants, serving)
        } else {
            serving.unwrap_or_default()
        };
        let [mine, other] = [slot, slot.other()].map(|slot| occupants[slot as usize]);
        let [a, b] = places;
        Ok(Placed {
            app: Rc::new(if slot == Slot::A { a } else { b }),
            beside: other != Occupant::Nobody,
            adopted: mine == Occupant::Same,
        })
    }

    async fn occupant(&self, app: &InstalledApp) -> Result<Occupant> {
        let Some(service) = app.service() else {
            return Ok(Occupant::Nobody);
        };
        Ok(
            match (
                self.services.is_running(&service.name).await?,
                self.services.runs(&service).await?,
            ) {
                (false, _) => Occupant::Nobody,
                (true, true) => Occupant::Same,
                (true, false) => Occupant::Other,
            },
        )
    }

    fn is_asked(&self, app: &InstalledApp, former: &Former) -> bool {
        app.places().iter().any(|place| {
            self.web_upstream(place)
                .is_ok_and(|upstream| former.asks(&upstream))
        })
    }

    /// Does `work` with an app that was placed; where that fails, the app that served before serves
    /// on, and alone.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn or_back_to<T>(
        &self,
        former: &Former,
        placed: &Placed,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let done = work.await;
        if done.is_err() && former.serves() {
            if let Err(error) = former.put_back(&self.services).await {
                warn!("the web server does not serve as before: {error}");
            }
            if placed.beside && !placed.adopted {
                self.stop(placed.app.slot()).await;
            }
        }
        done
    }

    /// Ends every other app of the site, once nobody is served by it any more.
    pub async fn retire_others(&self, serving: &InstalledApp, former: &Former) {
        for slot in Slot::ALL
            .into_iter()
            .filter(|slot| serving.slot() != Some(*slot))
        {
            if self
                .services
                .is_running(slot.service())
                .await
                .unwrap_or(true)
            {
                former.is_over().await;
            }
            self.stop(Some(slot)).await;
        }
    }

    pub async fn stop(&self, slot: Option<Slot>) {
        let Some(slot) = slot else { return };
        if let Err(error) = self.services.stop(slot.service()).await {
            warn!("{error}");
        }
    }
}

/// Visitors are not to lose the app that they are served by.
fn choose(occupants: [Occupant; 2], serving: Option<Slot>) -> Slot {
    let slots = || serving.into_iter().chain(Slot::ALL);
    let with = |wanted: Occupant| slots().find(|slot| occupants[*slot as usize] == wanted);
    with(Occupant::Same)
        .or_else(|| with(Occupant::Nobody))
        .unwrap_or_else(|| serving.map_or(Slot::A, Slot::other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Occupant::{Nobody, Other, Same};

    #[test]
    fn an_app_that_runs_already_is_found_wherever_that_is() {
        assert_eq!(choose([Same, Nobody], Some(Slot::A)), Slot::A);
        assert_eq!(choose([Other, Same], Some(Slot::A)), Slot::B);
        assert_eq!(
            choose([Same, Same], Some(Slot::B)),
            Slot::B,
            "the one that visitors are served by"
        );
    }

    #[test]
    fn another_app_starts_where_nobody_is() {
        assert_eq!(choose([Nobody, Nobody], None), Slot::A);
        assert_eq!(choose([Other, Nobody], Some(Slot::A)), Slot::B);
        assert_eq!(choose([Nobody, Other], Some(Slot::B)), Slot::A);
        assert_eq!(choose([Nobody, Other], None), Slot::A);
    }

    #[test]
    fn where_both_are_taken_visitors_keep_theirs() {
        assert_eq!(choose([Other, Other], Some(Slot::A)), Slot::B);
        assert_eq!(choose([Other, Other], Some(Slot::B)), Slot::A);
    }
}
