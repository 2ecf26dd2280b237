//! Several at once for one PIN.

use std::net::Ipv4Addr;

use pf_base::Code;
use pf_e2e::{Attacker, ClientInstall, Host, Relay, another_pin};

/// Two people read one PIN off the screen, or one of them is a camera: two devices from one arming.
#[test]
fn inv_09_of_two_clients_with_the_right_pin_one_is_paired() {
    let host = Host::serve().start();
    for round in 0..3 {
        let pin = host.arm(&[]);
        let relays = [2, 3].map(|last| Relay::start([127, 0, 0, last], host.socket_address()));
        let clients = ["one", "other"].map(ClientInstall::new);
        let racing = [0, 1].map(|i| clients[i].spawn(&["pair", &relays[i].address(), "--pin", &pin]));
        let outcomes = racing.map(pf_e2e::Running::finish);

        let paired: Vec<_> = outcomes.iter().map(|outcome| outcome.exit == 0).collect();
        assert_eq!(paired.iter().filter(|paired| **paired).count(), 1, "{outcomes:#?}");
        for (client, outcome) in clients.iter().zip(&outcomes) {
            assert_eq!(client.has_pin(), outcome.exit == 0);
            if outcome.exit != 0 {
                outcome.expect_failure(12, "not_armed");
            }
        }
        assert_eq!(host.devices().len(), round + 1);
    }
}

/// Confirmations that arrive in one instant, each evaluated against the same PIN.
#[tokio::test(flavor = "multi_thread")]
async fn inv_09_of_four_confirmations_in_one_instant_one_is_evaluated() {
    let host = Host::serve().start();
    let pin = host.arm(&[]);
    let relays = relays(&host);
    let attackers = [(); 4].map(|()| Attacker::new());
    let mut racing = tokio::task::JoinSet::new();
    let mut ready = Vec::new();
    for (attacker, relay) in attackers.iter().zip(&relays) {
        ready.push(attacker.offered(relay.socket_address(), "racer").await.share(&pin).await.unwrap());
    }
    for shared in ready {
        racing.spawn(shared.finish());
    }
    let outcomes = racing.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(Code::NotArmed)).count(), 3, "{outcomes:?}");
    assert_eq!(host.devices().len(), 1);
    assert_eq!(host.count_events("attempt"), 1);
}

/// Four guesses at one PIN: the first, a wrong one, must end the others, of which one is right.
#[tokio::test(flavor = "multi_thread")]
async fn inv_09_a_wrong_confirmation_ends_the_right_ones_beside_it() {
    let host = Host::serve().start();
    let pin = host.arm(&[]);
    let relays = relays(&host);
    let attackers = [(); 4].map(|()| Attacker::new());
    let mut ready = Vec::new();
    for (i, (attacker, relay)) in attackers.iter().zip(&relays).enumerate() {
        let guess = if i == 0 { another_pin(&pin) } else { pin.clone() };
        ready.push(attacker.offered(relay.socket_address(), "guesser").await.share(&guess).await.unwrap());
    }
    let wrong = ready.remove(0);
    assert_eq!(wrong.finish().await, Err(Code::WrongPin));
    for right in ready {
        assert_eq!(right.finish().await, Err(Code::NotArmed));
    }
    assert!(host.devices().is_empty());
    assert_eq!(host.count_events("attempt"), 1);
}

fn relays(host: &Host) -> Vec<Relay> {
    (2..6).map(|last| Relay::start(Ipv4Addr::new(127, 0, 0, last), host.socket_address())).collect()
}
