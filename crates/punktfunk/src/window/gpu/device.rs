//! OpenGL in calls that are safe: the few that it takes to fill a part of a window from textures.
//!
//! OpenGL 3.3 and OpenGL ES 3.0 alike. What goes wrong is kept by OpenGL itself until somebody [asks](Device::check).

#![expect(
    unsafe_code,
    reason = "a call of OpenGL counts on its context being current, which no type can say"
)]

use std::{
    ffi::{CStr, c_void},
    rc::Rc,
    sync::Arc,
};

use glow::{HasContext as _, PixelUnpackData};
use pf_media::picture::Size;

use super::Fault;

/// The functions of OpenGL, and the context that is current on this thread.
pub(super) struct Device {
    gl: Arc<glow::Context>,
    /// An array of no vertices: OpenGL wants one, and the shader knows its four corners by their numbers.
    corners: glow::VertexArray,
    /// The first lines of every shader.
    dialect: &'static str,
    /// Bound to its thread, on which its context is current.
    _thread: Rc<()>,
}

/// What works out the pixels of a part of a window.
pub(super) struct Program {
    id: glow::Program,
    corner: Option<glow::UniformLocation>,
    size: Option<glow::UniformLocation>,
}

/// A picture on the GPU, of one sample for each pixel or of four.
pub(super) struct Texture {
    id: glow::Texture,
    samples: Samples,
    /// Nothing before it is filled first.
    size: Option<Size>,
}

/// What a texture has for each of its pixels, a byte each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Samples {
    One,
    /// Red, green, blue, and how much they hide, with which they are multiplied already.
    RedGreenBlueAlpha,
}

/// A part of a window, in pixels from its left and its **bottom**, as OpenGL counts. It may reach beyond the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) left: i32,
    pub(super) bottom: i32,
    pub(super) size: Size,
}

/// What becomes of what is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Below {
    Replaced,
    SeenThrough,
}

impl Device {
    /// The OpenGL whose functions `address_of` finds.
    ///
    /// # Safety
    /// On this thread a context of OpenGL 3.3 or OpenGL ES 3.0 or later is current whose functions these are, and one such
    /// is as long as this is used.
    pub(super) unsafe fn new(address_of: impl FnMut(&CStr) -> *const c_void) -> Result<Self, Fault> {
        // SAFETY: the caller promises a current context, and that these are its functions.
        let gl = unsafe { glow::Context::from_loader_function_cstr(address_of) };
        let dialect = if gl.version().is_embedded { EMBEDDED } else { DESKTOP };
        // SAFETY: the context is current, as below; see `new`.
        let corners = unsafe { gl.create_vertex_array() }.map_err(refused)?;
        Ok(Self { gl: Arc::new(gl), corners, dialect, _thread: Rc::new(()) })
    }

    /// What works OpenGL out, as its driver calls it.
    pub(super) fn renderer(&self) -> String {
        // SAFETY: the context is current, see `new`.
        unsafe { self.gl.get_parameter_string(glow::RENDERER) }
    }

    /// The longest side that a texture can have.
    pub(super) fn longest_side(&self) -> u32 {
        // SAFETY: the context is current, see `new`.
        unsafe { self.gl.get_parameter_i32(glow::MAX_TEXTURE_SIZE) }.max(0).cast_unsigned()
    }

    /// What draws the pages of egui, with shaders and textures of its own.
    pub(super) fn egui_painter(&self) -> Result<egui_glow::Painter, Fault> {
        let gl = Arc::clone(&self.gl);
        egui_glow::Painter::new(gl, "", None, false).map_err(|error| Fault::new(PAGES, &error))
    }

    /// Compiles a program whose `fragment` shader says what each pixel is, by the textures of these names. To say where it
    /// is, that has the uniforms `corner` and `size`: the part's, as [`Part`] has them.
    pub(super) fn program(&self, fragment: &str, textures: &[&str]) -> Result<Program, Fault> {
        let gl = &self.gl;
        // SAFETY: the context is current, see `new`. All that is named here was made here, by the same context.
        unsafe {
            let program = gl.create_program().map_err(refused)?;
            for (kind, source) in [(glow::VERTEX_SHADER, CORNERS), (glow::FRAGMENT_SHADER, fragment)] {
                let shader = gl.create_shader(kind).map_err(refused)?;
                gl.shader_source(shader, &format!("{}{source}", self.dialect));
                gl.compile_shader(shader);
                if !gl.get_shader_compile_status(shader) {
                    return Err(Fault::new(SHADER, &gl.get_shader_info_log(shader).trim_end()));
                }
                gl.attach_shader(program, shader);
                // It goes with the program.
                gl.delete_shader(shader);
            }
            gl.link_program(program);
            if !gl.get_program_link_status(program) {
                return Err(Fault::new(SHADER, &gl.get_program_info_log(program).trim_end()));
            }
            gl.use_program(Some(program));
            for (unit, name) in (0..).zip(textures) {
                gl.uniform_1_i32(gl.get_uniform_location(program, name).as_ref(), unit);
            }
            let [corner, size] = ["corner", "size"].map(|name| gl.get_uniform_location(program, name));
            Ok(Program { id: program, corner, size })
        }
    }

    /// A texture with nothing on it.
    pub(super) fn texture(&self, samples: Samples) -> Result<Texture, Fault> {
        let gl = &self.gl;
        // SAFETY: the context is current, see `new`.
        let id = unsafe {
            let id = gl.create_texture().map_err(refused)?;
            gl.bind_texture(glow::TEXTURE_2D, Some(id));
            for (name, value) in [
                (glow::TEXTURE_MIN_FILTER, glow::LINEAR),
                (glow::TEXTURE_MAG_FILTER, glow::LINEAR),
                (glow::TEXTURE_WRAP_S, glow::CLAMP_TO_EDGE),
                (glow::TEXTURE_WRAP_T, glow::CLAMP_TO_EDGE),
            ] {
                gl.tex_parameter_i32(glow::TEXTURE_2D, name, value.cast_signed());
            }
            id
        };
        Ok(Texture { id, samples, size: None })
    }

    /// Brings a picture of this size to the GPU, row by row from the top, without gaps.
    pub(super) fn fill(&self, texture: &mut Texture, size: Size, bytes: &[u8]) -> Result<(), Fault> {
        let (internal, format, count) = match texture.samples {
            Samples::One => (glow::R8, glow::RED, 1),
            Samples::RedGreenBlueAlpha => (glow::RGBA8, glow::RGBA, 4),
        };
        if bytes.len() != size.width as usize * size.height as usize * count {
            return Err(Fault::new(UPLOAD, &format!("{} bytes are not {size}", bytes.len())));
        }
        let (width, height) = (size.width.cast_signed(), size.height.cast_signed());
        let (gl, pixels) = (&self.gl, PixelUnpackData::Slice(Some(bytes)));
        // SAFETY: the context is current, see `new`, and the texture is its own. With rows that are aligned to one byte and
        // have the width of the picture, which is what OpenGL begins with and nobody changes, it reads as many bytes as
        // there are: that was checked.
        unsafe {
            gl.active_texture(glow::TEXTURE0);
            gl.bind_texture(glow::TEXTURE_2D, Some(texture.id));
            gl.pixel_store_i32(glow::UNPACK_ALIGNMENT, 1);
            if texture.size == Some(size) {
                let (target, kind) = (glow::TEXTURE_2D, glow::UNSIGNED_BYTE);
                gl.tex_sub_image_2d(target, 0, 0, 0, width, height, format, kind, pixels);
            } else {
                let (target, internal) = (glow::TEXTURE_2D, internal.cast_signed());
                gl.tex_image_2d(target, 0, internal, width, height, 0, format, glow::UNSIGNED_BYTE, pixels);
            }
        }
        texture.size = Some(size);
        Ok(())
    }

    /// Makes all of the window black.
    pub(super) fn blacken(&self) {
        // SAFETY: the context is current, see `new`.
        unsafe {
            self.gl.disable(glow::SCISSOR_TEST);
            self.gl.clear_color(0.0, 0.0, 0.0, 1.0);
            self.gl.clear(glow::COLOR_BUFFER_BIT);
        }
    }

    /// Fills a part of the window by a program, from these textures, in the order in which it has their names.
    pub(super) fn draw(&self, program: &Program, part: Part, textures: &[Texture], below: Below) {
        let gl = &self.gl;
        let Part { left, bottom, size } = part;
        let (width, height) = (size.width.cast_signed(), size.height.cast_signed());
        // SAFETY: the context is current, see `new`, and the program and the textures are its own. Vertices are read from
        // nowhere: the array has none.
        unsafe {
            gl.disable(glow::SCISSOR_TEST);
            match below {
                Below::Replaced => gl.disable(glow::BLEND),
                Below::SeenThrough => {
                    gl.enable(glow::BLEND);
                    gl.blend_func(glow::ONE, glow::ONE_MINUS_SRC_ALPHA);
                }
            }
            gl.viewport(left, bottom, width, height);
            gl.use_program(Some(program.id));
            gl.uniform_2_i32(program.corner.as_ref(), left, bottom);
            gl.uniform_2_i32(program.size.as_ref(), width, height);
            for (unit, texture) in (glow::TEXTURE0..).zip(textures) {
                gl.active_texture(unit);
                gl.bind_texture(glow::TEXTURE_2D, Some(texture.id));
            }
            gl.bind_vertex_array(Some(self.corners));
            gl.draw_arrays(glow::TRIANGLE_STRIP, 0, 4);
            gl.bind_vertex_array(None);
            gl.active_texture(glow::TEXTURE0);
        }
    }

    /// What went wrong since this was asked last, a GPU that was reset included.
    pub(super) fn check(&self) -> Result<(), Fault> {
        // SAFETY: the context is current, see `new`.
        let error = unsafe { self.gl.get_error() };
        let why = match error {
            glow::NO_ERROR => return Ok(()),
            glow::CONTEXT_LOST => "it was reset".to_owned(),
            glow::OUT_OF_MEMORY => "out of memory".to_owned(),
            other => format!("error {other:#06x}"),
        };
        Err(Fault::new("OpenGL failed", &why))
    }

    /// What was drawn, as a canvas of the processor has it: row by row from the top, in 32 bits.
    #[cfg(test)]
    pub(super) fn read(&self, size: Size) -> Vec<u32> {
        let mut bytes = vec![0; size.width as usize * size.height as usize * 4];
        let pixels = glow::PixelPackData::Slice(Some(&mut bytes));
        let (width, height) = (size.width.cast_signed(), size.height.cast_signed());
        // SAFETY: the context is current, see `new`. OpenGL writes four bytes for each pixel, for which there is room.
        unsafe { self.gl.read_pixels(0, 0, width, height, glow::RGBA, glow::UNSIGNED_BYTE, pixels) };
        let rows = bytes.chunks_exact(size.width as usize * 4).rev();
        let pixels = rows.flat_map(|row| row.as_chunks::<4>().0);
        pixels.map(|&[red, green, blue, _]| u32::from_be_bytes([0, red, green, blue])).collect()
    }
}

fn refused(why: String) -> Fault {
    Fault { what: "OpenGL refused", why }
}

const SHADER: &str = "a shader does not compile";
const PAGES: &str = "the pages cannot be drawn";
const UPLOAD: &str = "a picture cannot be brought to the GPU";

/// The first lines of a shader: what else is said in it means the same to both.
const DESKTOP: &str = "#version 330 core\n";
const EMBEDDED: &str =
    "#version 300 es\nprecision highp float;\nprecision highp int;\nprecision highp sampler2D;\n";

/// The vertex shader of every program: four corners, as a strip of two triangles that fills the part.
const CORNERS: &str = include_str!("shaders/corners.vert");
