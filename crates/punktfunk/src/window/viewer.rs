//! What a window shows of a session, and what its person does there: the same in the app and for one session alone.

use std::time::Instant;

use pf_app::{GrabKeyboard, Level};
use pf_client::{Live, Remote, Session, Showing, Wishes, input::Controls};
use pf_media::picture::Size;
use winit::{
    event::{DeviceEvent, ElementState, WindowEvent},
    keyboard::ModifiersState,
};

use super::{
    canvas::Canvas,
    chord::{Chord, chord},
    input::Input,
    overlay::Overlay,
    paint::Place,
    picture::{Front, Planes},
    shown::Shown,
};

/// A session's picture in a window, and the keyboard and pointer over it.
pub(crate) struct Viewer {
    begun: Option<Begun>,
    front: Front,
    /// The picture that is shown.
    picture: Planes,
    /// How many were taken: each has a number of its own.
    taken: u64,
    overlay: Overlay,
    modifiers: ModifiersState,
    is_pointer_given: bool,
    /// When the desktop's own keys go to the host.
    grab_keyboard: GrabKeyboard,
}

/// The session, as far as the window deals with it.
pub(crate) struct Begun {
    remote: Remote,
    live: Live,
    input: Input,
    wishes: Wishes,
    sizing: Sizing,
}

/// What the size of the stream goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizing {
    /// What was asked for at first.
    Fixed,
    /// The window.
    Window,
}

impl Begun {
    /// The host let us in; what is asked of the stream are `wishes`, and its size follows the window if `sizing` says so.
    pub(crate) fn new(session: &Session, wishes: Wishes, sizing: Sizing) -> Self {
        let input = Input::new(Controls::start(session.remote()));
        Self { remote: session.remote(), live: session.live(), input, wishes, sizing }
    }
}

impl Viewer {
    /// One that shows nothing yet.
    pub(crate) fn new(overlay: Level, grab_keyboard: GrabKeyboard) -> Self {
        Self {
            begun: None,
            front: Front::default(),
            picture: Planes::default(),
            taken: 0,
            overlay: Overlay::new(Instant::now(), overlay),
            modifiers: ModifiersState::empty(),
            is_pointer_given: false,
            grab_keyboard,
        }
    }

    /// Shows a session from now on.
    pub(crate) fn begin(&mut self, begun: Begun) {
        self.begun = Some(begun);
    }

    /// The keyboard, pointer and gamepads of the session, where there is one.
    pub(crate) fn controls(&self) -> Option<&Controls> {
        self.begun.as_ref().map(|begun| begun.input.controls())
    }

    /// Asks the host for another stream.
    pub(crate) fn change(&mut self, wishes: Wishes, sizing: Sizing) {
        if let Some(begun) = &mut self.begun {
            begun.wishes = wishes;
            begun.sizing = sizing;
            begun.remote.change(wishes);
        }
    }

    /// Shows so much over the picture.
    pub(crate) fn set_overlay(&mut self, level: Level) {
        self.overlay.set(Instant::now(), level);
    }

    /// Has the desktop's own keys go to the host so from now on.
    pub(crate) fn set_grab_keyboard(&mut self, when: GrabKeyboard) {
        self.grab_keyboard = when;
    }

    /// Takes the keyboard from the desktop or gives it back, as it is to be now. `is_for_host` says whether the picture has
    /// it, and nothing that lies over that. Whether the host gets all keys.
    pub(crate) fn hold_keyboard(&self, now: Instant, shown: &mut Shown, is_for_host: bool) -> bool {
        shown.grab.follow(now, self.grab_keyboard, is_for_host && self.begun.is_some());
        shown.grab.is_held()
    }

    /// Takes pictures from here. What was shown stays until the first comes.
    pub(crate) fn watch(&mut self, front: Front) {
        self.front = front;
    }

    /// The session is over: everything is let go of. Its last picture stays.
    pub(crate) fn end(&mut self, shown: &Shown) {
        self.leave(shown);
        self.begun = None;
    }

    /// Forgets the picture.
    pub(crate) fn clear(&mut self) {
        self.picture = Planes::default();
    }

    /// Takes the newest picture, if there is one that was not taken yet; its size is [`picture_size`](Self::picture_size).
    pub(crate) fn take(&mut self) -> Option<Showing> {
        let showing = self.front.take(&mut self.picture)?;
        self.taken += 1;
        Some(showing)
    }

    /// The size of the picture that is shown, once there is one.
    pub(crate) fn picture_size(&self) -> Option<Size> {
        self.picture.view().map(|picture| picture.size())
    }

    /// Whether the pointer is the host's altogether.
    pub(crate) fn is_pointer_given(&self) -> bool {
        self.is_pointer_given
    }

    /// Takes in what happened in the window; a chord is for the caller, who [obeys](Self::obey) or leaves it.
    pub(crate) fn handle(&mut self, event: &WindowEvent, shown: &mut Shown) -> Option<Chord> {
        if let WindowEvent::Focused(false) = event {
            self.leave(shown);
            // Also where the focus is back before the window looks whether it has it.
            shown.grab.give_back(Instant::now());
        }
        if let Some(chord) = self.note_keys(event) {
            return Some(chord);
        }
        let Some(begun) = &mut self.begun else { return None };
        match event {
            // A key that is down when the window gets the keyboard was pressed for another one.
            WindowEvent::KeyboardInput { event, is_synthetic, .. }
                if !(*is_synthetic && event.state == ElementState::Pressed) =>
            {
                begun.input.key(event);
            }
            WindowEvent::CursorMoved { position, .. } => {
                if let Some(picture) = self.picture.view() {
                    begun.input.pointed(*position, picture.size(), shown.size(), shown.window());
                }
            }
            WindowEvent::CursorLeft { .. } => begun.input.strayed(shown.window()),
            WindowEvent::MouseInput { state, button, .. } => begun.input.button(*button, *state),
            WindowEvent::MouseWheel { delta, .. } => begun.input.wheel(*delta, shown.scale()),
            _ => {}
        }
        None
    }

    /// Takes in which modifiers are held, also while the window's keys are for something else; the chord, if it is one.
    pub(crate) fn note_keys(&mut self, event: &WindowEvent) -> Option<Chord> {
        match event {
            WindowEvent::ModifiersChanged(modifiers) => {
                self.modifiers = modifiers.state();
                None
            }
            WindowEvent::KeyboardInput { event, .. } => chord(self.modifiers, event),
            _ => None,
        }
    }

    /// The mouse was moved, wherever the pointer is.
    pub(crate) fn handle_device(&mut self, event: &DeviceEvent) {
        if let (Some(begun), DeviceEvent::MouseMotion { delta }) = (&mut self.begun, event) {
            begun.input.moved(*delta);
        }
    }

    /// Does what a chord says.
    pub(crate) fn obey(&mut self, chord: Chord, shown: &Shown) {
        match chord {
            Chord::Figures => self.overlay.step(Instant::now()),
            Chord::FullScreen => shown.toggle_full_screen(),
            // Whoever has the window knows what these mean.
            Chord::Menu | Chord::Leave => {}
            Chord::Pointer => {
                if let Some(begun) = &mut self.begun {
                    self.is_pointer_given = begun.input.toggle_pointer(shown.window());
                }
            }
        }
    }

    /// The window no longer has the keyboard, or it is for something else: nothing that is held may stay so at the host.
    pub(crate) fn leave(&mut self, shown: &Shown) {
        if let Some(begun) = &mut self.begun {
            begun.input.leave(shown.window());
        }
        self.is_pointer_given = false;
    }

    /// When to call [`poll`](Self::poll) next, if ever.
    pub(crate) fn due(&self, shown: &Shown) -> Option<Instant> {
        self.begun.as_ref()?;
        shown.follow.due().into_iter().chain(self.overlay.due()).chain(shown.grab.due()).min()
    }

    /// Asks the host for pictures of the window's size once it stays, and takes new figures once those that are shown are
    /// old. Whether the window is to be drawn again.
    pub(crate) fn poll(&mut self, now: Instant, shown: &mut Shown) -> bool {
        let size = shown.follow.poll(now);
        let Some(begun) = &mut self.begun else { return false };
        if let Some(size) = size
            && begun.sizing == Sizing::Window
        {
            begun.wishes.size = Some(size);
            begun.remote.change(begun.wishes);
        }
        let room = shown.size();
        let place = self.picture.view().map_or(room, |picture| Place::of(picture.size(), room).size);
        self.overlay.refresh(now, &begun.live, place, shown)
    }

    /// Paints the picture, and what lies over it.
    pub(crate) fn paint(&self, canvas: &mut dyn Canvas) {
        canvas.picture(&self.picture, self.taken);
        self.overlay.draw(canvas);
    }
}
