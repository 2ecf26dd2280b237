// A layer, pixel by pixel. What it lets through is seen: its colours are multiplied with their alpha already.

uniform sampler2D layer;
uniform ivec2 corner;
uniform ivec2 size;
out vec4 pixel;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy) - corner;
    // OpenGL counts rows from below.
    at.y = size.y - 1 - at.y;
    pixel = texelFetch(layer, at, 0);
}
