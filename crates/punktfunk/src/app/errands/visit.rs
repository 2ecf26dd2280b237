//! A visit to one host, on tokio: a task that takes orders, and ends when its person leaves.

use std::sync::Arc;

use pf_app::{News, Target, VisitNews};
use pf_base::Pin;
use pf_client::{Answered, Client, Connected, Failure, Found, Heard, Play, Session, Wishes};
use pf_trust::proof::Comparison;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Event, Teller};
use crate::window::{Begun, Front, Sink, Sizing};

/// What to do next about the host that is visited.
#[derive(Debug)]
pub(super) enum Order {
    /// Find it, and connect as far as that is decided.
    Connect,
    /// Hear how its PIN looks.
    LookForPin,
    /// Pair, and connect.
    Pair(Pin),
    /// Ask its owner, and connect once approved.
    Ask,
    /// Trust the key that it showed, and connect.
    TrustFirstUse,
}

/// A visit that goes on.
pub(super) struct Visiting {
    client: Arc<Client>,
    tell: Teller,
    number: u32,
    target: Target,
    stream: watch::Receiver<(Wishes, Sizing)>,
    found: Option<Found>,
    /// What the host said when it was not trusted.
    heard: Option<Box<Heard>>,
}

/// What came of an order.
enum Came {
    /// A session, to be shown.
    Session(Box<Session>),
    /// To the next order.
    ToAQuestion,
}

impl Visiting {
    pub(super) fn new(
        client: Arc<Client>,
        tell: Teller,
        number: u32,
        target: Target,
        stream: watch::Receiver<(Wishes, Sizing)>,
    ) -> Self {
        Self { client, tell, number, target, stream, found: None, heard: None }
    }

    /// Visits until its person leaves: connects, and does what is ordered then.
    pub(super) async fn run(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
        mut left: oneshot::Receiver<()>,
    ) {
        let mut order = Order::Connect;
        loop {
            // What is under way is dropped when its person leaves: a request goes from the host's list with it.
            let came = tokio::select! {
                _ = &mut left => return,
                came = self.carry_out(order) => came,
            };
            match came {
                Ok(Came::Session(session)) => {
                    let (ended, has_left) = self.play(*session, &mut left).await;
                    if has_left {
                        return;
                    }
                    if let Err(failure) = ended {
                        self.news(VisitNews::Failed(failure));
                    }
                }
                Ok(Came::ToAQuestion) => {}
                Err(failure) => self.news(VisitNews::Failed(failure)),
            }
            order = tokio::select! {
                _ = &mut left => return,
                order = orders.recv() => match order {
                    Some(order) => order,
                    None => return,
                },
            };
        }
    }

    async fn carry_out(&mut self, order: Order) -> Result<Came, Failure> {
        match order {
            Order::Connect => {
                self.found = Some(self.find().await?);
                self.connect().await
            }
            Order::LookForPin => {
                self.look_for_pin().await;
                Ok(Came::ToAQuestion)
            }
            Order::Pair(pin) => {
                let found = self.found().await?;
                self.client.pair(&found, pin).await?;
                self.connect().await
            }
            Order::Ask => {
                let found = self.found().await?;
                if let Answered::Waiting(asking) = self.client.ask(&found).await? {
                    self.news(VisitNews::CheckCode(asking.code));
                    self.client.wait(*asking, || Comparison::CodeShown).await?;
                }
                self.connect().await
            }
            Order::TrustFirstUse => {
                let heard = self.heard.take().ok_or(Failure::TofuNotOffered)?;
                let (wishes, _) = *self.stream.borrow();
                let found = self.found().await?;
                let session = self.client.trust_first_use(&found, &heard, wishes).await?;
                self.news(VisitNews::Trusted);
                Ok(Came::Session(Box::new(session)))
            }
        }
    }

    /// Connects as far as that is decided, and tells what is open otherwise.
    async fn connect(&mut self) -> Result<Came, Failure> {
        let found = self.found().await?;
        let (wishes, _) = *self.stream.borrow();
        match self.client.connect(&found, wishes).await {
            Ok(Connected::Session(session)) => {
                self.news(VisitNews::Trusted);
                Ok(Came::Session(session))
            }
            Ok(Connected::Refused { code, .. }) => {
                self.news(VisitNews::Refused(code));
                self.look_for_pin().await;
                Ok(Came::ToAQuestion)
            }
            Ok(Connected::Choice { heard, ask, first_use }) => {
                let first_use = first_use.then_some(heard.fingerprint);
                let pin = heard.pin.as_ref().ok().copied();
                self.heard = Some(heard);
                self.news(VisitNews::Choice { ask, first_use, pin });
                Ok(Came::ToAQuestion)
            }
            Err(Failure::PinOnly) => {
                self.news(VisitNews::Failed(Failure::PinOnly));
                self.look_for_pin().await;
                Ok(Came::ToAQuestion)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Asks the host how its PIN looks. That it does not say keeps nobody from typing one.
    async fn look_for_pin(&self) {
        let Some(found) = &self.found else { return };
        match self.client.look(found).await {
            Ok(heard) => self.news(VisitNews::PinOffer(heard.pin.ok())),
            Err(failure) => tracing::debug!(%failure, "the host did not say how its PIN looks"),
        }
    }

    /// Shows a session until it ends, or its person leaves; whether that is so.
    async fn play(&self, session: Session, left: &mut oneshot::Receiver<()>) -> (Result<(), Failure>, bool) {
        let front = Front::default();
        let (wishes, sizing) = *self.stream.borrow();
        let begun = Begun::new(&session, wishes, sizing);
        self.tell.event(Event::Begun(self.number, Box::new(begun), front.clone()));
        let (tell, number) = (self.tell.clone(), self.number);
        let sink = Sink::new(front, move || tell.event(Event::Picture(number)));
        let mut has_left = false;
        let stop = async {
            let _ = left.await;
            has_left = true;
        };
        let (_, ended) = session.play(Play::default(), Box::new(sink), stop).await;
        self.tell.event(Event::Ended(self.number));
        (ended, has_left)
    }

    async fn find(&self) -> Result<Found, Failure> {
        match &self.target {
            // What its adverts said when it was picked may be long ago.
            Target::Listed(listed) if self.found.is_some() && listed.is_pinned() => {
                self.client.find(&listed.fingerprint().map(|key| key.to_string()).unwrap_or_default()).await
            }
            Target::Listed(listed) => self.client.pick(listed),
            Target::Known(fingerprint, _) => self.client.find(&fingerprint.to_string()).await,
            Target::Typed(text) => self.client.find(text).await,
        }
    }

    /// The host, as it was found.
    async fn found(&mut self) -> Result<Found, Failure> {
        match &self.found {
            Some(found) => Ok(found.clone()),
            None => self.find().await,
        }
    }

    fn news(&self, news: VisitNews) {
        self.tell.news(News::Visit(self.number, news));
    }
}
