//! X servers of the test's own, and a client that draws a time code on one of them.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use pf_media::{
    picture::Size,
    timecode::{self, BLOCK_SIDE, ORIGIN, Shade, TimeCode},
};
use rustix::process::{Pid, Signal, kill_process};
use x11rb::{
    connection::Connection as _,
    protocol::Event,
    protocol::xproto::{
        Atom, AtomEnum, BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ChangeGCAux, ChangeWindowAttributesAux,
        ClientMessageEvent, ConfigureWindowAux, ConnectionExt as _, CreateGCAux, EventMask, FocusInEvent,
        Gcontext, GrabMode, GrabStatus, ImageFormat, InputFocus, KEY_PRESS_EVENT, KEY_RELEASE_EVENT,
        MOTION_NOTIFY_EVENT, MapState, NotifyDetail, NotifyMode, Rectangle, Window,
    },
    protocol::xtest::ConnectionExt as _,
    rust_connection::RustConnection,
};

/// An Xvfb that ends with this.
pub struct XDisplay {
    server: Child,
    number: u16,
}

/// Draws time codes on a display, 60 a second, until it is dropped.
pub struct TimeCodeClient {
    over: Arc<AtomicBool>,
    drawn: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

/// Looks whether a window's program takes the keyboard to itself. It disturbs nobody.
#[derive(Debug)]
pub struct GrabWatch {
    connection: RustConnection,
    is_grabbed: bool,
}

/// The keyboard of a display, kept from every program until this is dropped.
#[derive(Debug)]
pub struct HeldKeyboard {
    _connection: RustConnection,
}

/// A window of another program.
#[derive(Clone, Copy, Debug)]
pub struct TopLevel(Window);

impl XDisplay {
    /// Starts a server with one screen of `size`.
    ///
    /// # Panics
    /// When there is no Xvfb, or it does not start.
    pub fn start(size: Size) -> Self {
        let mut command = Command::new("Xvfb");
        command.args(["-noreset", "-nolisten", "tcp", "-displayfd", "1", "-screen", "0"]);
        command.arg(format!("{size}x24"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server =
            command.spawn().unwrap_or_else(|error| panic!("Xvfb cannot be run (Debian: xvfb): {error}"));
        let mut line = String::new();
        if let Some(output) = server.stdout.take() {
            let _ = BufReader::new(output).read_line(&mut line);
        }
        let number = line.trim().parse().unwrap_or_else(|_| panic!("Xvfb did not start"));
        Self { server, number }
    }

    /// What `$DISPLAY` is for its clients, such as `:7`.
    pub fn name(&self) -> String {
        format!(":{}", self.number)
    }

    /// Starts a client that draws.
    pub fn draw_time_codes(&self) -> TimeCodeClient {
        let canvas = Canvas::open(&self.name());
        let (over, drawn) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (is_over, counter) = (Arc::clone(&over), Arc::clone(&drawn));
        let thread = thread::spawn(move || canvas.draw_until(&is_over, &counter));
        TimeCodeClient { over, drawn, thread: Some(thread) }
    }

    /// Fills a rectangle of the root window: its corner, its size, and red, green and blue in a number.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn fill(&self, [x, y]: [i16; 2], size: Size, colour: u32) {
        let Canvas { connection, root, context } = Canvas::open(&self.name());
        let rectangle = Rectangle { x, y, width: size.width as u16, height: size.height as u16 };
        let is_there = "the server is there";
        connection.change_gc(context, &ChangeGCAux::new().foreground(colour)).expect(is_there);
        connection.poly_fill_rectangle(root, context, &[rectangle]).expect(is_there).check().expect(is_there);
    }

    /// The first visible window whose title contains `title`, if there is one by now.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn window(&self, title: &str) -> Option<TopLevel> {
        self.window_where(|called| called.contains(title))
    }

    /// The first visible window that is called just so, if there is one by now.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn window_called(&self, title: &str) -> Option<TopLevel> {
        self.window_where(|called| called == title)
    }

    fn window_where(&self, is_meant: impl Fn(&str) -> bool) -> Option<TopLevel> {
        let canvas = Canvas::open(&self.name());
        let connection = &canvas.connection;
        let is_it = |window: &Window| {
            let text_of = |property: Atom| {
                let text = connection.get_property(false, *window, property, AtomEnum::ANY, 0, 256);
                Some(text.ok()?.reply().ok()?.value)
            };
            // Programs of old have the one alone that X began with.
            let text = text_of(atom(connection, b"_NET_WM_NAME")?)
                .filter(|text| !text.is_empty())
                .or_else(|| text_of(AtomEnum::WM_NAME.into()))?;
            let attributes = connection.get_window_attributes(*window).ok()?.reply().ok()?;
            let is_named = is_meant(&String::from_utf8_lossy(&text));
            Some(is_named && attributes.map_state == MapState::VIEWABLE)
        };
        let mut all = windows_below(connection, canvas.root, 2).into_iter();
        all.find(|window| is_it(window) == Some(true)).map(TopLevel)
    }

    /// The time code that is seen in the top left corner of a window, if it can be read.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn read_time_code(&self, window: TopLevel) -> Option<TimeCode> {
        self.read_time_code_enlarged(window, 1)
    }

    /// The same of a picture that is shown so many times as wide and as high as it is.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn read_time_code_enlarged(&self, window: TopLevel, times: u32) -> Option<TimeCode> {
        let (size, luma) = self.greens(window);
        let rows = luma.chunks_exact(size.width as usize).skip(times as usize / 2).step_by(times as usize);
        let every = rows.flat_map(|row| row.iter().skip(times as usize / 2).step_by(times as usize).copied());
        let picture = Size::new(size.width.div_ceil(times), size.height.div_ceil(times));
        timecode::read(&every.collect::<Vec<_>>(), picture.width as usize, picture, ORIGIN)
    }

    /// What is seen in a window: its size, and how green each pixel is.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn greens(&self, TopLevel(window): TopLevel) -> (Size, Vec<u8>) {
        let connection = Canvas::open(&self.name()).connection;
        let answered = "a window that is there answers";
        let geometry = connection.get_geometry(window).expect(answered).reply().expect(answered);
        let (width, height) = (geometry.width, geometry.height);
        let image = connection.get_image(ImageFormat::Z_PIXMAP, window, 0, 0, width, height, u32::MAX);
        let pixels = image.expect(answered).reply().expect(answered).data;
        let greens = pixels.chunks_exact(4).map(|pixel| pixel[1]).collect();
        (Size::new(width.into(), height.into()), greens)
    }

    /// Whether a window manager runs.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn is_managed(&self) -> bool {
        let Canvas { connection, root, .. } = Canvas::open(&self.name());
        let check = atom(&connection, b"_NET_SUPPORTING_WM_CHECK").expect("an atom");
        let property = connection.get_property(false, root, check, AtomEnum::WINDOW, 0, 1);
        let property = property.expect("the server is there").reply().expect("the root window is there");
        !property.value.is_empty()
    }

    /// How many windows are visible, each with all that is in it.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn visible_windows(&self) -> usize {
        let Canvas { connection, root, .. } = Canvas::open(&self.name());
        let is_visible = |window: &Window| {
            let attributes = connection.get_window_attributes(*window).ok()?.reply().ok()?;
            Some(attributes.map_state == MapState::VIEWABLE)
        };
        let all = windows_below(&connection, root, 0);
        all.iter().filter(|window| is_visible(window) == Some(true)).count()
    }

    /// Clicks on a window: into its middle, where nothing may lie over it.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn click_on(&self, window: TopLevel) {
        let size = self.size_of(window);
        let Canvas { connection, root, .. } = Canvas::open(&self.name());
        let middle = [size.width, size.height].map(|side| (side / 2) as i16);
        let place = connection.translate_coordinates(window.0, root, middle[0], middle[1]);
        let place = place.expect("the server is there").reply().expect("the window is there");
        self.point([place.dst_x, place.dst_y]);
        self.click(1, true);
        self.click(1, false);
    }

    /// How large a window is.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn size_of(&self, TopLevel(window): TopLevel) -> Size {
        let connection = Canvas::open(&self.name()).connection;
        let geometry = connection.get_geometry(window).expect("the server is there").reply();
        let geometry = geometry.expect("the window is there");
        Size::new(geometry.width.into(), geometry.height.into())
    }

    /// Gives a window another size, as its person does by its corner.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn resize(&self, TopLevel(window): TopLevel, size: Size) {
        let connection = Canvas::open(&self.name()).connection;
        let wanted = ConfigureWindowAux::new().width(size.width).height(size.height);
        let asked = connection.configure_window(window, &wanted).expect("the server is there");
        asked.check().expect("the window is there");
    }

    /// Presses keys together while a window has the focus, and lets go of them. They are named by their keysyms.
    ///
    /// # Panics
    /// When the window is gone, or the keyboard lacks a key.
    pub fn press(&self, TopLevel(window): TopLevel, keysyms: &[u32]) {
        let connection = Canvas::open(&self.name()).connection;
        let is_there = "the server is there";
        connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME).expect(is_there);
        let (least, most) = (connection.setup().min_keycode, connection.setup().max_keycode);
        let layout = connection.get_keyboard_mapping(least, most - least + 1).expect(is_there);
        let layout = layout.reply().expect("a keyboard");
        let per_key = usize::from(layout.keysyms_per_keycode);
        let key = |keysym: &u32| {
            let place = layout.keysyms.iter().position(|has| has == keysym).expect("a key of the keyboard");
            least + (place / per_key) as u8
        };
        let keys: Vec<u8> = keysyms.iter().map(key).collect();
        let presses = keys.iter().map(|key| (KEY_PRESS_EVENT, *key));
        for (event, key) in presses.chain(keys.iter().rev().map(|key| (KEY_RELEASE_EVENT, *key))) {
            let faked = connection.xtest_fake_input(event, key, 0, x11rb::NONE, 0, 0, 0);
            faked.expect(is_there).check().expect("XTEST");
        }
    }

    /// Gives a window the keyboard.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn focus(&self, TopLevel(window): TopLevel) {
        let connection = Canvas::open(&self.name()).connection;
        let focus = connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME);
        focus.expect("the server is there").check().expect("the window is there");
    }

    /// Whether this window has the keyboard.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn has_focus(&self, TopLevel(window): TopLevel) -> bool {
        let connection = Canvas::open(&self.name()).connection;
        let focus = connection.get_input_focus().expect("the server is there").reply();
        focus.expect("something has it, or nothing").focus == window
    }

    /// Looks from now on whether a window's program takes the keyboard to itself.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn watch_grabs(&self, TopLevel(window): TopLevel) -> GrabWatch {
        let Canvas { connection, .. } = Canvas::open(&self.name());
        let selected = ChangeWindowAttributesAux::new().event_mask(EventMask::FOCUS_CHANGE);
        let selecting = connection.change_window_attributes(window, &selected);
        selecting.expect("the server is there").check().expect("the window is there");
        GrabWatch { connection, is_grabbed: false }
    }

    /// Takes the keyboard away from every program, until what this returns is dropped.
    ///
    /// # Panics
    /// When another program has it to itself.
    pub fn hold_keyboard(&self) -> HeldKeyboard {
        let Canvas { connection, root, .. } = Canvas::open(&self.name());
        let mode = GrabMode::ASYNC;
        let grab = connection.grab_keyboard(true, root, x11rb::CURRENT_TIME, mode, mode);
        let status = grab.expect("the server is there").reply().expect("an answer").status;
        assert_eq!(status, GrabStatus::SUCCESS);
        HeldKeyboard { _connection: connection }
    }

    /// Whether no program keeps the keyboard to itself. Where none does, whoever has the focus loses it for a moment.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn is_keyboard_free(&self) -> bool {
        let Canvas { connection, root, .. } = Canvas::open(&self.name());
        let mode = GrabMode::ASYNC;
        let grab = connection.grab_keyboard(true, root, x11rb::CURRENT_TIME, mode, mode);
        // Closing the connection gives it back.
        grab.expect("the server is there").reply().expect("an answer").status == GrabStatus::SUCCESS
    }

    /// Takes the keyboard away from every window.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn unfocus(&self) {
        let connection = Canvas::open(&self.name()).connection;
        let focus = connection.set_input_focus(InputFocus::NONE, x11rb::NONE, x11rb::CURRENT_TIME);
        focus.expect("the server is there").check().expect("there is always none");
    }

    /// Has the keyboard go to whatever window the pointer is in.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn focus_by_pointer(&self) {
        let connection = Canvas::open(&self.name()).connection;
        let pointer = InputFocus::POINTER_ROOT;
        let focus = connection.set_input_focus(pointer, u32::from(pointer), x11rb::CURRENT_TIME);
        focus.expect("the server is there").check().expect("there is always a pointer");
    }

    /// Has a key of the display's keyboard go down or up, as its person would.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn strike(&self, keycode: u8, pressed: bool) {
        self.fake(if pressed { KEY_PRESS_EVENT } else { KEY_RELEASE_EVENT }, keycode, [0, 0]);
    }

    /// Has a button of the display's mouse go down or up.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn click(&self, button: u8, pressed: bool) {
        self.fake(if pressed { BUTTON_PRESS_EVENT } else { BUTTON_RELEASE_EVENT }, button, [0, 0]);
    }

    /// Moves the display's pointer to a pixel.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn point(&self, at: [i16; 2]) {
        self.fake(MOTION_NOTIFY_EVENT, 0, at);
    }

    /// Moves the display's mouse by so many pixels.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn push(&self, by: [i16; 2]) {
        self.fake(MOTION_NOTIFY_EVENT, 1, by);
    }

    fn fake(&self, kind: u8, detail: u8, [x, y]: [i16; 2]) {
        let Canvas { connection, root, .. } = Canvas::open(&self.name());
        let faked = connection.xtest_fake_input(kind, detail, x11rb::CURRENT_TIME, root, x, y, 0);
        faked.expect("the server is there").check().expect("it has XTest");
    }

    /// Asks a window to close, as the button in its title bar does.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn close(&self, TopLevel(window): TopLevel) {
        let connection = Canvas::open(&self.name()).connection;
        let [protocols, delete] = [b"WM_PROTOCOLS".as_slice(), b"WM_DELETE_WINDOW"]
            .map(|name| atom(&connection, name).expect("an atom"));
        let message = ClientMessageEvent::new(32, window, protocols, [delete, x11rb::CURRENT_TIME, 0, 0, 0]);
        let sent = connection.send_event(false, window, EventMask::NO_EVENT, message);
        sent.expect("the server is there").check().expect("the window is there");
    }
}

impl GrabWatch {
    /// Whether the program has it to itself now.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn is_grabbed(&mut self) -> bool {
        let is_of_the_window = |event: FocusInEvent| event.detail == NotifyDetail::NONLINEAR;
        while let Some(event) = self.connection.poll_for_event().expect("the server is there") {
            // A grab is told of as a change of focus to the window itself, and its end as one away from it. One by another
            // program's window is told of, too, where the pointer is, with another detail.
            match event {
                Event::FocusIn(event) if is_of_the_window(event) && event.mode == NotifyMode::GRAB => {
                    self.is_grabbed = true;
                }
                Event::FocusOut(event) if is_of_the_window(event) && event.mode == NotifyMode::UNGRAB => {
                    self.is_grabbed = false;
                }
                _ => {}
            }
        }
        self.is_grabbed
    }
}

impl Drop for XDisplay {
    fn drop(&mut self) {
        // Asked to, it takes its socket along.
        _ = kill_process(Pid::from_child(&self.server), Signal::TERM);
        _ = self.server.wait();
    }
}

impl TimeCodeClient {
    /// How many codes were drawn so far: the number of the newest frame, and one.
    pub fn drawn(&self) -> u32 {
        self.drawn.load(Ordering::Relaxed)
    }
}

impl Drop for TimeCodeClient {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A client that was cut off from its server has said so.
            let _ = thread.join();
        }
    }
}

/// A connection to a display, ready to fill rectangles of its root window.
struct Canvas {
    connection: RustConnection,
    root: Window,
    context: Gcontext,
}

impl Canvas {
    fn open(display: &str) -> Self {
        let open = || -> Result<Self, Box<dyn std::error::Error>> {
            let (connection, screen) = RustConnection::connect(Some(display))?;
            let root = connection.setup().roots[screen].root;
            let context = connection.generate_id()?;
            connection.create_gc(context, root, &CreateGCAux::new())?.check()?;
            Ok(Self { connection, root, context })
        };
        open().unwrap_or_else(|error| panic!("the X server {display} cannot be drawn on: {error}"))
    }

    fn draw_until(&self, over: &AtomicBool, drawn: &AtomicU32) {
        let started = Instant::now();
        for frame in 0.. {
            let due = FRAME * frame;
            thread::sleep(due.saturating_sub(started.elapsed()));
            let code = TimeCode { frame, micros: started.elapsed().as_micros() as u64 };
            if over.load(Ordering::Relaxed) || self.draw(code).is_none() {
                return;
            }
            drawn.store(frame + 1, Ordering::Relaxed);
        }
    }

    /// Draws a code at once; `None` when the server is gone.
    fn draw(&self, code: TimeCode) -> Option<()> {
        // Nobody sees one half of it: a capture comes before or after all of what is grabbed.
        self.connection.grab_server().ok()?;
        for (shade, colour) in [(Shade::Black, 0), (Shade::White, 0x00FF_FFFF)] {
            let side = BLOCK_SIDE as u16;
            let squares: Vec<_> = timecode::blocks(code)
                .filter(|block| block.shade == shade)
                .map(|block| Rectangle {
                    x: (ORIGIN.x + block.x) as i16,
                    y: (ORIGIN.y + block.y) as i16,
                    width: side,
                    height: side,
                })
                .collect();
            self.connection.change_gc(self.context, &ChangeGCAux::new().foreground(colour)).ok()?;
            self.connection.poly_fill_rectangle(self.root, self.context, &squares).ok()?;
        }
        self.connection.ungrab_server().ok()?;
        self.connection.get_input_focus().ok()?.reply().ok().map(|_| ())
    }
}

/// The windows in a window, at most so many frames deep: a window manager puts those of programs into its own.
fn windows_below(connection: &RustConnection, window: Window, frames: u32) -> Vec<Window> {
    // One that has gone meanwhile has none.
    let tree = connection.query_tree(window).ok().and_then(|tree| tree.reply().ok());
    let mut all = tree.map_or_else(Vec::new, |tree| tree.children);
    if frames > 0 {
        let below = all.iter().flat_map(|child| windows_below(connection, *child, frames - 1));
        all.extend(below.collect::<Vec<_>>());
    }
    all
}

fn atom(connection: &RustConnection, name: &[u8]) -> Option<u32> {
    Some(connection.intern_atom(false, name).ok()?.reply().ok()?.atom)
}

/// How often a code is drawn.
const FRAME: Duration = Duration::from_micros(16_667);
