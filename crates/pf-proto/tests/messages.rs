//! Every message survives its own encoding, and nothing else is let through.

use std::time::Duration;

use pf_base::{Code, DeviceName, HardwareAddress, PairPolicy, PinDigits};
use pf_proto::{
    Malformed, Message, VERSION, common_version, frame,
    input::{self, Button, GamepadAxes, InputEvent, InputState, Key, MAX_TEXT, Pad, PointerState, Position},
    pair::{self, Greeting, Hello, HelloPurpose},
    session::{
        self, Admitted, AdmittedAs, FrameArrival, FrameTime, MAX_ARRIVALS, MAX_FRAME_TIMES,
        MAX_HARDWARE_ADDRESSES, MediaFeedback, Offer, SessionHello, SoundWish, StreamStarted, StreamWishes,
    },
};
use proptest::prelude::*;

fn name() -> impl Strategy<Value = DeviceName> {
    any::<String>().prop_map(|raw| DeviceName::sanitise(&raw))
}

fn versions() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(any::<u32>(), 0..=16)
}

fn share() -> impl Strategy<Value = [u8; 65]> {
    proptest::collection::vec(any::<u8>(), 65).prop_map(|bytes| bytes.try_into().expect("65 were asked for"))
}

fn greeting() -> impl Strategy<Value = Greeting> {
    let policy = prop_oneof![Just(PairPolicy::Required), Just(PairPolicy::Optional)];
    (any::<u32>(), name(), policy).prop_map(|(version, host_name, policy)| Greeting {
        version,
        host_name,
        policy,
    })
}

fn code() -> impl Strategy<Value = Code> {
    proptest::sample::select(Code::ALL.to_vec())
}

fn pair_client() -> impl Strategy<Value = pair::ClientMessage> {
    let purpose = prop_oneof![
        Just(HelloPurpose::Pin),
        any::<[u8; 32]>().prop_map(|commitment| HelloPurpose::Ask { commitment }),
        Just(HelloPurpose::Knock),
    ];
    prop_oneof![
        (versions(), name(), purpose).prop_map(|(versions, device_name, purpose)| {
            pair::ClientMessage::Hello(Hello { versions, device_name, purpose })
        }),
        share().prop_map(pair::ClientMessage::PinShare),
        any::<[u8; 32]>().prop_map(pair::ClientMessage::PinConfirmation),
        Just(pair::ClientMessage::PinAcknowledged),
        any::<[u8; 32]>().prop_map(pair::ClientMessage::CodeReveal),
    ]
}

fn pair_host() -> impl Strategy<Value = pair::HostMessage> {
    let wait = proptest::option::of((1_u64..4_000_000_000).prop_map(Duration::from_millis));
    prop_oneof![
        (greeting(), 4_u8..=10).prop_map(|(greeting, digits)| pair::HostMessage::PinOffer {
            greeting,
            digits: PinDigits::new(digits).expect("in range"),
        }),
        share().prop_map(pair::HostMessage::PinShare),
        any::<[u8; 32]>().prop_map(pair::HostMessage::PinConfirmation),
        (proptest::option::of(greeting()), code(), wait).prop_map(|(greeting, code, retry_after)| {
            pair::HostMessage::Unavailable { greeting, code, retry_after }
        }),
        (greeting(), any::<[u8; 32]>())
            .prop_map(|(greeting, nonce)| pair::HostMessage::CodeNonce { greeting, nonce }),
        any::<u32>().prop_map(|request| pair::HostMessage::RequestParked { request }),
        greeting().prop_map(|greeting| pair::HostMessage::RequestLeft { greeting }),
        Just(pair::HostMessage::RequestApproved),
    ]
}

fn wishes() -> impl Strategy<Value = StreamWishes> {
    let sound = proptest::sample::select(vec![SoundWish::Silent, SoundWish::Ms10, SoundWish::Ms5]);
    (any::<[u32; 4]>(), sound).prop_map(|([width, height, frames_per_second, bits_per_second], sound)| {
        StreamWishes { width, height, frames_per_second, bits_per_second, sound }
    })
}

fn pointer() -> impl Strategy<Value = PointerState> {
    let position = proptest::option::of(any::<[u16; 2]>().prop_map(|[x, y]| Position { x, y }));
    (any::<u32>(), any::<[i32; 4]>(), position).prop_map(
        |(number, [dx, dy, scroll_x, scroll_y], position)| PointerState {
            number,
            dx,
            dy,
            scroll_x,
            scroll_y,
            position,
        },
    )
}

fn pad() -> impl Strategy<Value = Pad> {
    proptest::sample::select(Pad::ALL.to_vec())
}

fn input_event() -> impl Strategy<Value = InputEvent> {
    let key = prop_oneof![0x07_0004..=0x07_00E7_u32, 0x0C_0001..=0x0C_03FF_u32]
        .prop_map(|usage| Key::from_usage(usage).expect("in range"));
    let button = proptest::sample::select(Button::ALL.to_vec());
    prop_oneof![
        (key, any::<bool>()).prop_map(|(key, pressed)| InputEvent::Key { key, pressed }),
        "\\PC{1,64}".prop_map(InputEvent::Text),
        (button, any::<bool>(), pointer()).prop_map(|(button, pressed, pointer)| InputEvent::Button {
            button,
            pressed,
            pointer
        }),
        Just(InputEvent::ReleaseAll),
        (pad(), any::<bool>()).prop_map(|(pad, plugged)| InputEvent::GamepadPlug { pad, plugged }),
        (pad(), 0..1_u32 << input::GAMEPAD_BUTTONS)
            .prop_map(|(pad, pressed)| InputEvent::GamepadButtons { pad, pressed }),
    ]
}

fn session_client() -> impl Strategy<Value = session::ClientMessage> {
    prop_oneof![
        (versions(), name(), wishes()).prop_map(|(versions, device_name, wishes)| {
            session::ClientMessage::Hello(SessionHello { versions, device_name, wishes })
        }),
        any::<u32>().prop_map(|last_frame| session::ClientMessage::KeyFrameRequest { last_frame }),
        any::<u64>().prop_map(|sent| session::ClientMessage::ClockPing { sent }),
        wishes().prop_map(session::ClientMessage::Change),
        input_event().prop_map(session::ClientMessage::Input),
    ]
}

fn stream_started() -> impl Strategy<Value = StreamStarted> {
    let offer = proptest::sample::select(vec![
        Offer::Given,
        Offer::Withheld,
        Offer::NotAsked,
        Offer::PairedOnly,
        Offer::NotHere,
        Offer::Unavailable,
    ]);
    (any::<[u32; 4]>(), "[a-z0-9-]{0,32}", [offer.clone(), offer.clone(), offer]).prop_map(
        |(
            [width, height, frames_per_second, bits_per_second],
            source,
            [sound, keys_and_pointer, gamepads],
        )| {
            StreamStarted {
                source,
                width,
                height,
                frames_per_second,
                bits_per_second,
                sound,
                keys_and_pointer,
                gamepads,
            }
        },
    )
}

fn frame_time() -> impl Strategy<Value = FrameTime> {
    any::<[u32; 5]>().prop_map(|[frame, capture, wait, encode, send]| FrameTime {
        frame,
        capture,
        wait,
        encode,
        send,
    })
}

fn session_host() -> impl Strategy<Value = session::HostMessage> {
    let admitted_as = prop_oneof![Just(AdmittedAs::Paired), Just(AdmittedAs::Guest)];
    let hardware_address = any::<[u8; 6]>().prop_filter_map("of no interface", HardwareAddress::new);
    let hardware_addresses = proptest::collection::vec(hardware_address, 0..=MAX_HARDWARE_ADDRESSES);
    prop_oneof![
        (any::<u32>(), name(), admitted_as, hardware_addresses).prop_map(
            |(version, host_name, admitted_as, hardware_addresses)| {
                session::HostMessage::Admitted(Admitted {
                    version,
                    host_name,
                    admitted_as,
                    hardware_addresses,
                })
            }
        ),
        stream_started().prop_map(session::HostMessage::StreamStarted),
        prop_oneof![
            proptest::collection::vec(frame_time(), 0..=MAX_FRAME_TIMES),
            proptest::collection::vec(frame_time(), MAX_FRAME_TIMES),
        ]
        .prop_map(session::HostMessage::FrameTimes),
        any::<[u64; 3]>().prop_map(|[ping_sent, received, sent]| session::HostMessage::ClockPong {
            ping_sent,
            received,
            sent
        }),
    ]
}

/// Any report, the longest included.
fn feedback() -> impl Strategy<Value = session::ClientDatagram> {
    let arrival = (0..=1024_u16, 1..=8192_u16, any::<u32>(), any::<u32>()).prop_map(
        |(before_newest, shards, first_before, spread)| FrameArrival {
            before_newest,
            shards,
            first_before,
            spread,
        },
    );
    let lost = proptest::option::of(any::<u32>());
    let frames = prop_oneof![
        proptest::collection::vec(arrival.clone(), 0..=MAX_ARRIVALS),
        proptest::collection::vec(arrival, MAX_ARRIVALS),
    ];
    (any::<[u32; 2]>(), any::<u64>(), lost.clone(), lost, frames).prop_map(
        |([number, newest_frame], sent, decoded_frame, first_lost, frames)| {
            session::ClientDatagram::Feedback(MediaFeedback {
                number,
                sent,
                newest_frame,
                decoded_frame,
                first_lost,
                frames,
            })
        },
    )
}

/// Any state of a pointer or a gamepad.
fn input_state() -> impl Strategy<Value = session::ClientDatagram> {
    let stick = [-32_767..=32_767_i16, -32_767..=32_767_i16];
    let triggers = [0..=32_767_i16, 0..=32_767_i16];
    let axes = (pad(), any::<u32>(), stick.clone(), stick, triggers)
        .prop_map(|(pad, number, left, right, triggers)| GamepadAxes { pad, number, left, right, triggers });
    prop_oneof![pointer().prop_map(InputState::Pointer), axes.prop_map(InputState::GamepadAxes)]
        .prop_map(session::ClientDatagram::Input)
}

/// What one side writes the other reads, framed and whole.
fn survives<M: Message + PartialEq + std::fmt::Debug>(message: &M) -> Result<(), TestCaseError> {
    let bytes = frame::encode(message);
    let (length, payload) = bytes.split_first_chunk().expect("a frame starts with its length");
    prop_assert_eq!(frame::payload_length::<M>(*length), Ok(payload.len()));
    prop_assert_eq!(&M::decode(payload).expect("our own encoding decodes"), message);
    Ok(())
}

proptest! {
    #[test]
    fn every_message_survives_its_encoding(
        a in pair_client(), b in pair_host(), c in session_client(), d in session_host(), e in feedback(),
        f in input_state()
    ) {
        survives(&a)?;
        survives(&b)?;
        survives(&c)?;
        survives(&d)?;
        survives(&e)?;
        survives(&f)?;
    }

    /// A peer sends noise to make the host panic.
    #[test]
    fn inv_50_any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..1100)) {
        let _ = pair::ClientMessage::decode(&bytes);
        let _ = pair::HostMessage::decode(&bytes);
        let _ = session::ClientMessage::decode(&bytes);
        let _ = session::HostMessage::decode(&bytes);
        let _ = session::ClientDatagram::decode(&bytes);
    }

    /// A newer peer sends fields that this version does not know; they are skipped.
    #[test]
    fn unknown_fields_are_skipped(message in pair_client()) {
        let mut payload = message.encode();
        payload.extend_from_slice(&[0xfa, 0x01, 0x03, b'n', b'e', b'w']); // field 31, three bytes
        prop_assert_eq!(pair::ClientMessage::decode(&payload), Ok(message));
    }
}

/// A peer claims a huge message to make the reader allocate.
#[test]
fn inv_50_a_length_over_the_cap_is_refused_before_reading() {
    assert_eq!(frame::payload_length::<pair::ClientMessage>([0x04, 0x00]), Ok(1024));
    assert_eq!(frame::payload_length::<pair::ClientMessage>([0x04, 0x01]), Err(Malformed::TooLong));
    assert_eq!(frame::payload_length::<session::HostMessage>([0xff, 0xff]), Err(Malformed::TooLong));
}

/// A share or MAC of another length slips past a check further in.
#[test]
fn fields_of_another_length_are_refused() {
    // PairClientMessage { pin_share { share: 64 bytes } }
    let mut payload = vec![0x12, 66, 0x0a, 64];
    payload.extend([4; 64]);
    assert_eq!(pair::ClientMessage::decode(&payload), Err(Malformed::Field("share")));
    // PairClientMessage { pin_confirmation { mac: 31 bytes } }
    let mut payload = vec![0x1a, 33, 0x0a, 31];
    payload.extend([1; 31]);
    assert_eq!(pair::ClientMessage::decode(&payload), Err(Malformed::Field("mac")));
}

/// A client sends a report that would make the host keep or compute with what cannot be.
#[test]
fn a_report_beyond_its_ranges_is_refused() {
    // SessionClientDatagram { feedback { frames { before_newest, shards } … } }
    let report = |frames: &[&[u8]]| {
        let frames: Vec<u8> =
            frames.iter().flat_map(|fields| [&[0x32, fields.len() as u8], *fields].concat()).collect();
        let length = [0x80 | (frames.len() & 0x7f) as u8, (frames.len() >> 7) as u8];
        session::ClientDatagram::decode(&[&[0x0a], &length[..], &frames].concat())
    };
    let fine: &[u8] = &[0x08, 0x01, 0x10, 0x01];
    assert!(report(&[fine; MAX_ARRIVALS]).is_ok());
    assert_eq!(report(&[fine; MAX_ARRIVALS + 1]), Err(Malformed::Field("frames")));
    assert_eq!(report(&[&[0x08, 0x81, 0x08, 0x10, 0x01]]), Err(Malformed::Field("before_newest")), "1025");
    assert_eq!(report(&[&[0x08, 0x01]]), Err(Malformed::Field("shards")), "none came");
    assert_eq!(report(&[&[0x10, 0x81, 0x40]]), Err(Malformed::Field("shards")), "8193");
    let padded = [vec![0x0a, 0], vec![0xfa, 0x01, 0xfd, 0x07], vec![0; 1021]].concat();
    assert_eq!(session::ClientDatagram::decode(&padded), Err(Malformed::TooLong));
}

/// A client names a key, button or gamepad that there is none of, to make the host look it up somewhere.
#[test]
fn input_beyond_its_ranges_is_refused() {
    // SessionClientMessage { input { … } }
    let event = |event: &[u8]| session::ClientMessage::decode(&[&[0x2a, event.len() as u8], event].concat());
    // InputEvent { key { usage } }
    assert_eq!(event(&[0x0a, 4, 0x08, 0x83, 0x80, 0x1c]), Err(Malformed::Field("usage")), "0x07_0003");
    assert_eq!(event(&[0x0a, 2, 0x08, 0x04]), Err(Malformed::Field("usage")), "a usage without its page");
    // InputEvent { text { text } }
    assert_eq!(event(&[0x12, 3, 0x0a, 1, 0x1b]), Err(Malformed::Field("text")), "an escape");
    assert_eq!(event(&[0x12, 0]), Err(Malformed::Field("text")), "nothing");
    let long = InputEvent::Text("x".repeat(MAX_TEXT + 1));
    let long = session::ClientMessage::Input(long).encode();
    assert_eq!(session::ClientMessage::decode(&long), Err(Malformed::Field("text")));
    // InputEvent { button { button, pointer } }
    assert_eq!(event(&[0x1a, 4, 0x08, 5, 0x1a, 0]), Err(Malformed::Field("button")));
    assert_eq!(event(&[0x1a, 2, 0x08, 1]), Err(Malformed::Field("pointer")), "no place to click");
    let outside = [0x1a, 8, 0x1a, 6, 0x32, 4, 0x08, 0x80, 0x80, 0x04];
    assert_eq!(event(&outside), Err(Malformed::Field("position")), "65536");
    // InputEvent { gamepad_plug { pad } } and { gamepad_buttons { pressed } }
    assert_eq!(event(&[0x2a, 2, 0x08, 4]), Err(Malformed::Field("pad")));
    assert_eq!(event(&[0x32, 4, 0x10, 0x80, 0x80, 0x08]), Err(Malformed::Field("pressed")), "button 17");
    // SessionClientDatagram { input { gamepad_axes { left_x } } } and { left_trigger }
    let axes = |axes: &[u8]| {
        let length = axes.len() as u8;
        session::ClientDatagram::decode(&[&[0x12, length + 2, 0x12, length], axes].concat())
    };
    assert!(axes(&[0x18, 0xfd, 0xff, 0x03]).is_ok(), "-32767");
    assert_eq!(axes(&[0x18, 0xff, 0xff, 0x03]), Err(Malformed::Field("stick")), "-32768");
    assert_eq!(axes(&[0x38, 0x80, 0x80, 0x02]), Err(Malformed::Field("trigger")), "32768");
}

/// A host tells of more pictures than there can be, to make the client keep them.
#[test]
fn more_times_than_a_message_holds_are_refused() {
    // SessionHostMessage { frame_times { frames {} … } }
    let times = |count: u8| {
        let frames = [0x0a, 0].repeat(count.into());
        session::HostMessage::decode(&[&[0x22, frames.len() as u8], frames.as_slice()].concat())
    };
    assert!(times(MAX_FRAME_TIMES as u8).is_ok());
    assert_eq!(times(MAX_FRAME_TIMES as u8 + 1), Err(Malformed::Field("frames")));
}

/// A host tells of more hardware addresses than it can have, or of one that is everybody's, to have a whole network woken.
#[test]
fn hardware_addresses_are_few_and_each_of_one_interface() {
    // SessionHostMessage { admitted { version: 1, admitted_as: PAIRED, hardware_addresses … } }
    let admitted = |addresses: &[&[u8]]| {
        let mut fields = vec![0x08, 1, 0x18, 1];
        for address in addresses {
            fields.extend([0x22, address.len() as u8]);
            fields.extend(*address);
        }
        session::HostMessage::decode(&[&[0x0a, fields.len() as u8], fields.as_slice()].concat())
    };
    let told = |addresses: &[&[u8]]| match admitted(addresses)? {
        session::HostMessage::Admitted(admitted) => Ok(admitted.hardware_addresses.len()),
        _ => Err(Malformed::UnknownKind),
    };
    let fine: &[u8] = &[0x02, 0x1b, 0x9c, 0x00, 0x10, 0xff];
    assert_eq!(told(&[]), Ok(0), "a host of before, which says nothing of it");
    assert_eq!(told(&[fine; MAX_HARDWARE_ADDRESSES]), Ok(MAX_HARDWARE_ADDRESSES));
    let refused = Err(Malformed::Field("hardware_addresses"));
    assert_eq!(told(&[fine; MAX_HARDWARE_ADDRESSES + 1]), refused);
    for unusable in [&fine[..5], &[fine, &[1]].concat(), &[0xff; 6], &[0; 6], &[0x01, 0, 0x5e, 0, 0, 1]] {
        assert_eq!(told(&[fine, unusable]), refused, "{unusable:02x?}");
    }
}

#[test]
fn a_message_without_a_kind_is_refused() {
    assert_eq!(pair::ClientMessage::decode(&[]), Err(Malformed::UnknownKind));
    assert_eq!(session::HostMessage::decode(&[0xfa, 0x01, 0x01, b'x']), Err(Malformed::UnknownKind));
}

/// A policy of the future is read as an opt-in to trust on first use.
#[test]
fn r1_a_policy_that_is_not_known_is_required() {
    // PairHostMessage { request_left { greeting { version: 1, policy: 7 } } }
    let payload = [0x3a, 6, 0x0a, 4, 0x08, 1, 0x18, 7];
    let Ok(pair::HostMessage::RequestLeft { greeting }) = pair::HostMessage::decode(&payload) else {
        panic!("the message itself is well-formed");
    };
    assert_eq!(greeting.policy, PairPolicy::Required);
}

#[test]
fn versions_are_agreed_on_or_not() {
    assert_eq!(common_version(&[3, VERSION, 2]), Some(VERSION));
    assert_eq!(common_version(&[]), None);
    assert_eq!(common_version(&[VERSION + 1]), None);
}

/// A device name reaches a terminal or a log as it was sent.
#[test]
fn inv_48_names_are_sanitised_at_decode() {
    let mut payload = vec![0x0a, 0, 0x08, 1, 0x12, 0];
    let raw = "\u{1b}[2J\u{202e}evil";
    payload.extend(raw.as_bytes());
    payload[5] = raw.len() as u8;
    payload.extend([0x1a, 0]);
    payload[1] = (payload.len() - 2) as u8;
    let Ok(pair::ClientMessage::Hello(hello)) = pair::ClientMessage::decode(&payload) else {
        panic!("the hello is well-formed");
    };
    assert_eq!(hello.device_name.as_str(), "[2Jevil");
}
