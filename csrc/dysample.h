// The plain C interface: raw pointers, sizes and strides. Every function returns 0, 1 where memory
// ran out, or 2 for a dtype it does not know. Strides count elements.
#pragma once

#include <cstdint>

#define DYSAMPLE_API extern "C" __attribute__((visibility("default")))

// Instruction set that the processor has: 0 baseline, 1 AVX2, 2 AVX-512.
DYSAMPLE_API int dysample_best_isa();

// sizes: B, C, H, W, G, Y, X. field: strides of batch, channel, row, column; height, width, scale.
DYSAMPLE_API int dysample_point_sample(const void* x, int x_dtype, const void* offset,
                                       int offset_dtype, void* out, const int64_t* sizes,
                                       const int64_t* field, int channels_last, int from_centre,
                                       int threads);

// Gradients of the above, in the type that x is computed in: added to `to_x` (as x lies) and
// `to_offset` (as the field lies), which the caller has zeroed; null where one is not wanted.
// `high` is the gradient of the result, with the dtype and layout of x.
DYSAMPLE_API int dysample_point_sample_backward(const void* x, const void* high, int x_dtype,
                                                const void* offset, int offset_dtype, void* to_x,
                                                void* to_offset, const int64_t* sizes,
                                                const int64_t* field, int channels_last,
                                                int from_centre, int threads);

// field = factor * (weight x + bias), or 2 * factor * sigmoid(scope_weight x + scope_bias) *
// (weight x + bias) where there is a scope_weight. sizes: B, C, pixels of an image, O. Everything
// but x has the type that x is computed in; weights are (O, C). `linear` takes weight x + bias and
// `gate` what it is multiplied by; they, the biases and the scope may be null.
DYSAMPLE_API int dysample_offset_field(const void* x, int x_dtype, const void* weight,
                                       const void* bias, const void* scope_weight,
                                       const void* scope_bias, double factor, void* field,
                                       void* linear, void* gate, const int64_t* sizes,
                                       int channels_last, int threads);

// Weighted sums of k x k neighbours, or of the softmax of the weights; `out` has the dtype and
// layout of x. sizes and field as above, the field's planes being tap by tap within a group: G k^2.
DYSAMPLE_API int dysample_reassemble(const void* x, int x_dtype, const void* weight,
                                     int weight_dtype, void* out, const int64_t* sizes,
                                     const int64_t* field, int kernel, int softmax,
                                     int channels_last, int threads);

// Gradient of the above to the features, in the type that they are computed in: added to `to_x`,
// with the layout of `high`, which the caller has zeroed. `high` is the gradient of the result.
DYSAMPLE_API int dysample_reassemble_backward(const void* high, int high_dtype, const void* weight,
                                              int weight_dtype, void* to_x, const int64_t* sizes,
                                              const int64_t* field, int kernel, int softmax,
                                              int channels_last, int threads);

// Gradient of the above to the weights (or, with softmax, to the logits), in the type that it is
// computed in: added to `to_weight` (as the field lies), which the caller has zeroed. `high` is the
// gradient of the result; x has its dtype and layout.
DYSAMPLE_API int dysample_reassemble_backward_weight(const void* high, const void* x, int dtype,
                                                     const void* weight, int weight_dtype,
                                                     void* to_weight, const int64_t* sizes,
                                                     const int64_t* field, int kernel, int softmax,
                                                     int channels_last, int threads);

// Inner products of high-res pixels (the query) with the k x k low-res pixels around them (the
// key), both of one dtype and layout. `out`, (B, G, k^2, Y, X) and contiguous, has the type that
// they are computed in. The gradient to the query is `reassemble` of the key, that to the key
// `reassemble_backward` of the query, with the gradient of the result for weights.
DYSAMPLE_API int dysample_affinity(const void* high, const void* low, int dtype, void* out,
                                   const int64_t* sizes, int kernel, int channels_last,
                                   int threads);
