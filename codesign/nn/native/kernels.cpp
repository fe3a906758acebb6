// SPDX-License-Identifier: Apache-2.0
// Training kernels in one pass over memory: integer deformable taps, and fake quantisation.
// Maps are channels-last rows [images * positions, channels]; an index of -1 is a tap outside the image.

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

struct Bf16 {
    uint16_t bits;
};

inline float real(float value) { return value; }
inline float real(Bf16 value) { return std::bit_cast<float>(uint32_t(value.bits) << 16); }

inline void put(float &to, float value) { to = value; }
inline void put(Bf16 &to, float value) {  // round half to even
    uint32_t bits = std::bit_cast<uint32_t>(value);
    to.bits = uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

struct Shape {
    long positions, channels, height, width, rows;  // rows: images * positions
};

template <typename T>
void taps_forward(const T *x, const float *weight, const int32_t *index, T *out, Shape s, long first, long last) {
    std::vector<float> sum(s.channels);
    for (long n = first * s.positions; n < last * s.positions; n++) {
        std::fill(sum.begin(), sum.end(), 0.0f);
        for (int t = 0; t < 9; t++) {
            long from = index[t * s.rows + n];
            if (from < 0) continue;
            const T *row = x + from * s.channels;
            const float *w = weight + t * s.channels;
            for (long c = 0; c < s.channels; c++) sum[c] += w[c] * real(row[c]);
        }
        T *row = out + n * s.channels;
        for (long c = 0; c < s.channels; c++) put(row[c], sum[c]);
    }
}

// Gradient of one position: half the difference of the neighbours above and below, left and right (zero outside).
template <typename T>
void position_gradient(const T *row, const float *spread, Shape s, long from, float *along_y, float *along_x) {
    long place = from % s.positions, y = place / s.width, x = place % s.width;
    const long steps[4] = {s.width, -s.width, 1, -1};
    const bool inside[4] = {y + 1 < s.height, y > 0, x + 1 < s.width, x > 0};
    float slope[4];
    for (int k = 0; k < 4; k++) {
        slope[k] = 0;
        if (!inside[k]) continue;
        const T *other = row + steps[k] * s.channels;
        float total = 0;
        for (long c = 0; c < s.channels; c++) total += real(other[c]) * spread[c];
        slope[k] = total;
    }
    *along_y = (slope[0] - slope[1]) / 2;
    *along_x = (slope[2] - slope[3]) / 2;
}

// grad_x [rows, channels] starts at zero; grad_weight [9, channels] is this image's; positions may be null.
template <typename T>
void taps_backward(const T *x, const float *weight, const int32_t *index, const T *grad, float *grad_x,
                   float *grad_weight, float *along_y, float *along_x, Shape s, long image) {
    std::vector<float> g(s.channels), spread(s.channels);
    for (long n = image * s.positions; n < (image + 1) * s.positions; n++) {
        for (long c = 0; c < s.channels; c++) g[c] = real(grad[n * s.channels + c]);
        for (int t = 0; t < 9; t++) {
            long at = t * s.rows + n, from = index[at];
            if (from < 0) continue;
            const T *row = x + from * s.channels;
            const float *w = weight + t * s.channels;
            float *to = grad_x + from * s.channels, *sum = grad_weight + t * s.channels;
            for (long c = 0; c < s.channels; c++) {
                spread[c] = g[c] * w[c];
                to[c] += spread[c];
                sum[c] += real(row[c]) * g[c];
            }
            if (along_y) position_gradient(row, spread.data(), s, from, along_y + at, along_x + at);
        }
    }
}

constexpr long BLOCK = 4096;

}  // namespace

extern "C" {

void taps_forward_f32(const float *x, const float *w, const int32_t *i, float *out, const long *s, long a, long b) {
    taps_forward(x, w, i, out, {s[0], s[1], s[2], s[3], s[4]}, a, b);
}
void taps_forward_bf16(const Bf16 *x, const float *w, const int32_t *i, Bf16 *out, const long *s, long a, long b) {
    taps_forward(x, w, i, out, {s[0], s[1], s[2], s[3], s[4]}, a, b);
}
void taps_backward_f32(const float *x, const float *w, const int32_t *i, const float *g, float *gx, float *gw, float *py,
                       float *px, const long *s, long image) {
    taps_backward(x, w, i, g, gx, gw, py, px, {s[0], s[1], s[2], s[3], s[4]}, image);
}
void taps_backward_bf16(const Bf16 *x, const float *w, const int32_t *i, const Bf16 *g, float *gx, float *gw, float *py,
                        float *px, const long *s, long image) {
    taps_backward(x, w, i, g, gx, gw, py, px, {s[0], s[1], s[2], s[3], s[4]}, image);
}

// out = clamp(round(x / scale), lo, hi) * scale, half to even
void fake_quant_forward(const float *x, float *out, float scale, float lo, float hi, long count) {
    for (long n = 0; n < count; n++) {
        float code = std::nearbyint(x[n] / scale);
        code = code < lo ? lo : code;
        code = code > hi ? hi : code;
        out[n] = code * scale;
    }
}

// grad_x = grad inside the range, else 0; returns the gradient of the scale
double fake_quant_backward(const float *x, const float *grad, float *grad_x, float scale, float lo, float hi, long count) {
    double total = 0;
    for (long start = 0; start < count; start += BLOCK) {
        long end = start + BLOCK < count ? start + BLOCK : count;
        float sum = 0;
        for (long n = start; n < end; n++) {
            float exact = x[n] / scale, rounded = std::nearbyint(exact), code = rounded;
            code = code < lo ? lo : code;
            code = code > hi ? hi : code;
            bool inside = code == rounded;
            grad_x[n] = inside ? grad[n] : 0.0f;
            sum += grad[n] * (inside ? code - exact : code);
        }
        total += sum;
    }
    return total;
}

}  // extern "C"
