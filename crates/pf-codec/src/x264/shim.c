/* What of x264 is used, in functions that are the same whatever version the header describes: its structures differ
 * from build to build, and its functions carry the build's number in their names. */

#include <stdint.h>
#include <stdlib.h>

#include <x264.h>

/* The pictures that are kept for recoveries; H.264 knows no more. */
#define MOST_KEPT 16
/* What H.264 level 5.2 lets a decoder keep, in macroblocks. */
#define KEPT_MACROBLOCKS 184320
/* Over how many pictures the rate is held. */
#define WINDOW 3
/* Finer than this shows no difference. */
#define FINEST 18

typedef struct {
    x264_t *encoder;
    x264_param_t param;
} pf_x264;

static void set_rate(x264_param_t *param, int kilobits)
{
    int window = (int)((int64_t)kilobits * WINDOW * param->i_fps_den / param->i_fps_num);
    param->rc.i_bitrate = kilobits;
    param->rc.i_vbv_max_bitrate = kilobits;
    param->rc.i_vbv_buffer_size = window > 1 ? window : 1;
}

/* An encoder, or NULL. */
pf_x264 *pf_x264_open(int width, int height, int fps, int kilobits, int threads)
{
    pf_x264 *this = calloc(1, sizeof *this);
    if (!this)
        return NULL;
    x264_param_t *param = &this->param;
    if (x264_param_default_preset(param, "ultrafast", "zerolatency") < 0)
        goto fail;
    param->i_log_level = X264_LOG_NONE;
    param->i_csp = X264_CSP_I420;
    param->i_width = width;
    param->i_height = height;
    param->i_fps_num = fps;
    param->i_fps_den = 1;
    param->i_timebase_num = 1;
    param->i_timebase_den = fps;
    param->b_vfr_input = 0;
    param->i_level_idc = 52;

    /* A slice for each thread, none of which waits for another picture. */
    param->i_threads = threads;
    param->b_sliced_threads = 1;

    /* Key frames on request alone, each with its parameter sets. */
    param->i_keyint_max = X264_KEYINT_MAX_INFINITE;
    param->i_scenecut_threshold = 0;
    param->b_repeat_headers = 1;
    param->b_annexb = 1;

    int macroblocks = ((width + 15) / 16) * ((height + 15) / 16);
    int kept = KEPT_MACROBLOCKS / macroblocks;
    param->i_frame_reference = 1;
    param->i_dpb_size = kept < 1 ? 1 : kept > MOST_KEPT ? MOST_KEPT : kept;

    param->rc.i_rc_method = X264_RC_ABR;
    param->rc.i_qp_min = FINEST;
    set_rate(param, kilobits);

    /* BT.709, limited range. */
    param->vui.b_fullrange = 0;
    param->vui.i_colorprim = 1;
    param->vui.i_transfer = 1;
    param->vui.i_colmatrix = 1;

    if (x264_param_apply_profile(param, "baseline") < 0)
        goto fail;
    this->encoder = x264_encoder_open(param);
    if (!this->encoder)
        goto fail;
    /* Completed by the library, or a change of the rate would change more. */
    x264_encoder_parameters(this->encoder, param);
    return this;
fail:
    free(this);
    return NULL;
}

void pf_x264_close(pf_x264 *this)
{
    x264_encoder_close(this->encoder);
    free(this);
}

/* Encodes the planes as picture `number`. The access unit stays where it is put until the next call. Returns its length,
 * or what is below 1. */
int pf_x264_encode(pf_x264 *this, const uint8_t *const planes[3], const int strides[3], int64_t number, int force_key,
                   const uint8_t **access_unit, int *is_key)
{
    x264_picture_t in, out;
    x264_nal_t *nals;
    int count;
    x264_picture_init(&in);
    in.i_type = force_key ? X264_TYPE_IDR : X264_TYPE_AUTO;
    in.i_pts = number;
    in.img.i_csp = X264_CSP_I420;
    in.img.i_plane = 3;
    for (int plane = 0; plane < 3; plane++) {
        in.img.plane[plane] = (uint8_t *)planes[plane];
        in.img.i_stride[plane] = strides[plane];
    }
    int length = x264_encoder_encode(this->encoder, &nals, &count, &in, &out);
    if (length > 0) {
        *access_unit = nals[0].p_payload;
        *is_key = out.b_keyframe;
    }
    return length;
}

/* No later picture refers to `number` or to one after it. Below 0 when it failed. */
int pf_x264_forget(pf_x264 *this, int64_t number)
{
    return x264_encoder_invalidate_reference(this->encoder, number);
}

/* Another rate from the next picture on. Below 0 when it failed. */
int pf_x264_set_rate(pf_x264 *this, int kilobits)
{
    set_rate(&this->param, kilobits);
    return x264_encoder_reconfig(this->encoder, &this->param);
}
