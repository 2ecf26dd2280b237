// A picture in planes, scaled to its place and converted to red, green and blue: what `Painter` does on the processor.

uniform sampler2D luma;
uniform sampler2D blue;
uniform sampler2D red;
uniform ivec2 corner;
uniform ivec2 size;
out vec4 pixel;

// The sample at `at` of a plane that is scaled to the size `to`. A larger or equal one is interpolated by the hardware;
// of a smaller one every sample counts that its pixels cover, so that a thin line stays.
float scaled(sampler2D plane, ivec2 at, ivec2 to) {
    ivec2 from = textureSize(plane, 0);
    vec2 scale = vec2(from) / vec2(to);
    vec2 middle = (vec2(at) + 0.5) * scale;
    if (scale.x <= 1.0 && scale.y <= 1.0) {
        return textureLod(plane, middle / vec2(from), 0.0).r;
    }
    vec2 reach = max(scale, 1.0);
    ivec2 first = max(ivec2(floor(middle - reach - 0.5)) + 1, ivec2(0));
    ivec2 last = min(ivec2(ceil(middle + reach - 0.5)) - 1, from - 1);
    float sum = 0.0;
    float weights = 0.0;
    for (int y = first.y; y <= last.y; y++) {
        float row = 1.0 - abs(float(y) + 0.5 - middle.y) / reach.y;
        for (int x = first.x; x <= last.x; x++) {
            float weight = row * (1.0 - abs(float(x) + 0.5 - middle.x) / reach.x);
            sum += weight * texelFetch(plane, ivec2(x, y), 0).r;
            weights += weight;
        }
    }
    return sum / weights;
}

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy) - corner;
    // OpenGL counts rows from below.
    at.y = size.y - 1 - at.y;
    // Four pixels share a sample of colour, scaled as well.
    ivec2 colour_size = (size + 1) / 2;
    // BT.709 in limited range, as pf-codec has it.
    float y = (scaled(luma, at, size) * 255.0 - 16.0) / 219.0;
    float u = (scaled(blue, at / 2, colour_size) * 255.0 - 128.0) / 224.0;
    float v = (scaled(red, at / 2, colour_size) * 255.0 - 128.0) / 224.0;
    pixel = vec4(y + 1.5748 * v, y - 0.1873 * u - 0.4681 * v, y + 1.8556 * u, 1.0);
}
