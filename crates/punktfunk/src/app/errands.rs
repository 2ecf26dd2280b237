//! What the app wishes, granted on tokio.

mod visit;

use std::sync::Arc;

use pf_app::{News, Sentence, Target, Wish, sentence};
use pf_client::{Client, Failure, Search, WakeBy, Wishes};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use winit::event_loop::EventLoopProxy;

use super::Event;
use crate::window::Sizing;
use visit::{Order, Visiting};

/// Runs the app's errands.
pub(super) struct Errands {
    runtime: Handle,
    client: Arc<Client>,
    tell: Teller,
    /// What the next session asks for.
    stream: watch::Sender<(Wishes, Sizing)>,
    visit: Option<Ongoing>,
    /// Visits that were left, and say goodbye.
    left: Vec<JoinHandle<()>>,
}

/// Tells the window what happened.
#[derive(Clone)]
struct Teller(EventLoopProxy<Event>);

/// A visit that goes on.
struct Ongoing {
    orders: mpsc::UnboundedSender<Order>,
    /// Ends the visit when it is dropped.
    _leave: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Errands {
    /// Begins with looking for hosts.
    pub(super) fn start(runtime: Handle, client: Arc<Client>, proxy: EventLoopProxy<Event>) -> Self {
        let tell = Teller(proxy);
        let (stream, _) = watch::channel((Wishes::default(), Sizing::Window));
        let errands = Self { runtime, client, tell, stream, visit: None, left: Vec::new() };
        errands.runtime.spawn(look_for_hosts(Arc::clone(&errands.client), errands.tell.clone()));
        errands
    }

    /// What the next session asks for.
    pub(super) fn set_stream(&self, wishes: Wishes, sizing: Sizing) {
        self.stream.send_replace((wishes, sizing));
    }

    /// Grants a wish.
    pub(super) fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Visit(number, target) => self.visit(number, target),
            Wish::Leave => self.leave(),
            Wish::Again => self.order(Order::Connect),
            Wish::LookForPin => self.order(Order::LookForPin),
            Wish::Pair(pin) => self.order(Order::Pair(pin)),
            Wish::Ask => self.order(Order::Ask),
            Wish::TrustFirstUse => self.order(Order::TrustFirstUse),
            // Whoever has the window does these.
            Wish::Keep(_) | Wish::Quit => {}
            Wish::Rename(fingerprint, name) => self.tell_of(self.client.rename(fingerprint, &name)),
            Wish::Forget(fingerprint) => self.tell_of(self.client.forget(fingerprint)),
            Wish::Wake(fingerprint) => {
                let (client, tell) = (Arc::clone(&self.client), self.tell.clone());
                self.runtime.spawn(async move {
                    if let Err(failure) = client.wake(fingerprint, WakeBy::Broadcast).await {
                        tell.news(News::Problem(sentence(&failure, THE_HOST)));
                    }
                });
            }
        }
    }

    /// Ends the visit, if there is one; its session says goodbye.
    pub(super) fn leave(&mut self) {
        self.left.retain(|task| !task.is_finished());
        self.left.extend(self.visit.take().map(|visit| visit.task));
    }

    /// Ends everything, and waits until every host was told.
    pub(super) async fn finish(mut self) {
        self.leave();
        for task in self.left {
            // One that panicked has told nobody, and there is nothing more to wait for.
            let _ = task.await;
        }
    }

    fn visit(&mut self, number: u32, target: Target) {
        self.leave();
        let (orders, ordered) = mpsc::unbounded_channel();
        let (leave, left) = oneshot::channel();
        let visiting = Visiting::new(
            Arc::clone(&self.client),
            self.tell.clone(),
            number,
            target,
            self.stream.subscribe(),
        );
        let task = self.runtime.spawn(visiting.run(ordered, left));
        self.visit = Some(Ongoing { orders, _leave: leave, task });
    }

    fn order(&self, order: Order) {
        if let Some(visit) = &self.visit {
            // A visit that broke off told so.
            let _ = visit.orders.send(order);
        }
    }

    /// Tells of a change of the known hosts that failed. One that went well is seen in their list.
    fn tell_of<T>(&self, result: Result<T, Failure>) {
        if let Err(failure) = result {
            self.tell.news(News::Problem(sentence(&failure, THE_HOST)));
        }
    }
}

impl Teller {
    fn news(&self, news: News) {
        self.event(Event::News(news));
    }

    fn event(&self, event: Event) {
        // A window that is gone wants to know nothing.
        let _ = self.0.send_event(event);
    }
}

/// Tells of the hosts around, for as long as the app runs.
async fn look_for_hosts(client: Arc<Client>, tell: Teller) {
    let mut watch = client.watch();
    loop {
        match watch.next().await {
            Ok(around) => {
                tell.news(News::Hosts(around.hosts));
                tell.news(News::Searching(match around.search {
                    Search::On => Ok(()),
                    Search::Off { why } => Err(Sentence::new(
                        format!("The network cannot be searched: {why}."),
                        "It is tried again by itself. Hosts that you know and addresses work all the same.",
                    )),
                }));
            }
            Err(failure) => tell.news(News::Problem(sentence(&failure, THE_HOST))),
        }
    }
}

/// What a host is called where the failure is not about its name.
const THE_HOST: &str = "The host";
