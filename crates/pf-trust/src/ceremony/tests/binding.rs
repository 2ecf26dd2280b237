//! What the ceremony binds: this connection, these keys, these names and versions.

use proptest::prelude::*;

use super::*;

const PIN: &str = "0417";

/// A machine in the middle ends TLS towards both people, who type the right PIN; it passes everything on, and fails
/// in both roles: to the client it is not the host that knows the PIN, to the host not the client that does.
#[test]
fn inv_15_a_machine_in_the_middle_fails_in_both_roles_with_the_right_pin() {
    let towards_client = View {
        host: key("middle"),
        exporter: random("client leg")[..32].try_into().unwrap(),
        ..View::honest()
    };
    let towards_host = View {
        client: key("middle"),
        exporter: random("host leg")[..32].try_into().unwrap(),
        ..View::honest()
    };
    neither_is_confirmed((&towards_client, PIN), (&towards_host, PIN), "passed on");
}

/// Each of the things that differ with a machine in the middle is enough by itself, whatever else it manages to
/// make equal.
#[test]
fn inv_15_each_difference_alone_is_enough() {
    let honest = View::honest();
    let exporter = random("another")[..32].try_into().unwrap();
    for (what, other) in [
        ("exporter", View { exporter, ..honest.clone() }),
        ("the client's key", View { client: key("middle"), ..honest.clone() }),
        ("the host's key", View { host: key("middle"), ..honest.clone() }),
        ("ALPN", View { alpn: b"punktfunk-pair/0".to_vec(), ..honest.clone() }),
        ("roles", View { client: honest.host, host: honest.client, ..honest.clone() }),
    ] {
        neither_is_confirmed((&other, PIN), (&honest, PIN), what);
        neither_is_confirmed((&honest, PIN), (&other, PIN), what);
    }
}

/// Who has both legs and no PIN may also answer by himself: with a share of his own guess, and a MAC.
#[test]
fn inv_15_a_machine_in_the_middle_with_a_guess_of_its_own_fails() {
    let view = View::honest();
    let (_, p_a) = view.client().share(pin(PIN), entropy("x"));
    let (_, p_b) = view.host().share(&pin("9999"), &p_a, entropy("of the middle")).unwrap();
    let guessed = up_to_m5((&view, "9999"), (&view, "9999"));
    let (_, c_b_of_guess) = guessed.host.evaluate(taken(), &guessed.c_a).unwrap();
    for c_b in [c_b_of_guess, guessed.c_a, [0; MAC_BYTES]] {
        let (client, _) = view.client().share(pin(PIN), entropy("x")).0.confirm(&p_b).unwrap();
        assert_eq!(client.verify(&c_b), Err(Mismatch));
    }
}

/// Who recorded a whole ceremony (as one of its ends, say) plays it again on a connection of his own.
#[test]
fn inv_16_a_transcript_replayed_on_a_new_connection_fails() {
    let recorded = View::honest();
    let again = View { exporter: random("new connection")[..32].try_into().unwrap(), ..recorded.clone() };
    let (_, p_a) = recorded.client().share(pin(PIN), entropy("x"));
    let run = up_to_m5((&recorded, PIN), (&recorded, PIN));
    let (_, c_b) = run.host.evaluate(taken(), &run.c_a).unwrap();

    // To the host, with the same PIN armed again: with fresh randomness, and even with the very same.
    for y in ["fresh", "y"] {
        let (host, _) = again.host().share(&pin(PIN), &p_a, entropy(y)).unwrap();
        assert_eq!(host.evaluate(taken(), &run.c_a), Err(Mismatch), "{y}");
    }
    // To the client.
    let (_, p_b) = recorded.host().share(&pin(PIN), &p_a, entropy("y")).unwrap();
    for x in ["fresh", "x"] {
        let (client, _) = again.client().share(pin(PIN), entropy(x)).0.confirm(&p_b).unwrap();
        assert_eq!(client.verify(&c_b), Err(Mismatch), "{x}");
    }
}

/// On the very same connection a replay meets fresh shares.
#[test]
fn inv_16_a_transcript_replayed_on_the_same_connection_fails() {
    let view = View::honest();
    let (_, p_a) = view.client().share(pin(PIN), entropy("x"));
    let run = up_to_m5((&view, PIN), (&view, PIN));
    let (host, _) = view.host().share(&pin(PIN), &p_a, entropy("fresh")).unwrap();
    assert_eq!(host.evaluate(taken(), &run.c_a), Err(Mismatch));
}

/// Who can change one byte before the shares turns off a version, or shows the owner another name.
#[test]
fn r4_every_byte_before_the_shares_is_bound() {
    type Message = fn(&mut View) -> &mut Vec<u8>;
    let honest = View::honest();
    let messages: [(&str, Message); 2] = [("M1", |v| &mut v.m1), ("M2", |v| &mut v.m2)];
    for (name, message) in messages {
        for at in 0..message(&mut honest.clone()).len() {
            let mut changed = honest.clone();
            message(&mut changed)[at] ^= 1;
            neither_is_confirmed((&changed, PIN), (&honest, PIN), &format!("byte {at} of {name} changed"));

            let mut dropped = honest.clone();
            message(&mut dropped).remove(at);
            neither_is_confirmed((&dropped, PIN), (&honest, PIN), &format!("byte {at} of {name} dropped"));
        }
        let mut longer = honest.clone();
        message(&mut longer).push(0);
        neither_is_confirmed((&longer, PIN), (&honest, PIN), &format!("a byte more in {name}"));
    }
    let exchanged = View { m1: honest.m2.clone(), m2: honest.m1.clone(), ..honest.clone() };
    neither_is_confirmed((&exchanged, PIN), (&honest, PIN), "M1 and M2 exchanged");
}

fn any_view() -> impl Strategy<Value = View> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..80);
    (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 32]>(), bytes(), bytes(), bytes())
        .prop_filter("keys are never equal", |(client, host, ..)| client != host)
        .prop_map(|(client, host, exporter, alpn, m1, m2)| View {
            client: Fingerprint::from_bytes(client),
            host: Fingerprint::from_bytes(host),
            alpn,
            exporter,
            m1,
            m2,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_both_see_alike_confirms_both(view in any_view(), digits in "[0-9]{4,10}") {
        let AfterShares { client, host, c_a } = up_to_m5((&view, &digits), (&view, &digits));
        let (stored, c_b) = host.evaluate(taken(), &c_a).unwrap();
        prop_assert_eq!(stored.fingerprint(), view.client);
        prop_assert_eq!(client.verify(&c_b).unwrap().fingerprint(), view.host);
    }

    #[test]
    fn whatever_they_see_differently_confirms_neither(
        client in any_view(), host in any_view(), digits in "[0-9]{4,10}",
    ) {
        neither_is_confirmed((&client, &digits), (&host, &digits), "two views");
    }

    #[test]
    fn pins_that_differ_confirm_neither(typed in "[0-9]{4,10}", shown in "[0-9]{4,10}") {
        prop_assume!(typed != shown);
        let view = View::honest();
        neither_is_confirmed((&view, &typed), (&view, &shown), "two PINs");
    }
}
