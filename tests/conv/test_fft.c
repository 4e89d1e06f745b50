/* Convolutions by Fourier transforms against the definition. Few shapes of transforms: each is compiled for seconds. */
#include <string.h>

#include "checks.h"

static void check_fft(const char *key, bool exact)
{
    for (int direction = 0; direction < 3; direction++) {
        hg_conv_problem p;
        ck_assert_hg(hg_conv_parse(key, &p));
        p.direction = direction;
        if (direction != HG_CONV_FORWARD) p.epilogue = 0;
        strcpy(p.solver, "fft");
        data d = make_data(&p, exact);
        hg_scope *scope = hg_scope_begin(test_device());
        compare(&p, run(&p, &d), &d, exact);
        hg_scope_end(scope);
        free_data(&d);
    }
}

/* One tile and several, in part; paddings that differ or exceed the kernel; a kernel as large as the tile; dilation;
 * several chunks of tiles. */
START_TEST(convolutions_by_transforms_agree_with_the_definition)
{
    check_fft("fwd 2x3x11x13 4x5x5 p2x2 bias relu", true);
    check_fft("fwd 1x2x25x31 3x3x7 p0:3x5 residual", true);
    check_fft("fwd 3x5x9x8 6x3x2 p4x3 d2x3", false);
    check_fft("fwd 1x1x1x1 1x1x1", true);
    check_fft("fwd 2x2x17x16 2x16x16 p1x2", false);
    check_fft("fwd 3x5x50 4x7 p2:5 d3 bias relu", true);
    check_fft("fwd 2x40x200 30x25 p12 residual", false);
}
END_TEST

START_TEST(chunks_of_tiles_keep_to_the_workspace)
{
    check_fft("fwd 5x4x30x30 5x5x5 p2x2 w1500000", false);
    const hg_conv_plan *plan;
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse("fwd 5x4x30x30 5x5x5 w100000", &p));
    strcpy(p.solver, "fft");
    ck_assert_int_eq(hg_conv_choose(test_device(), &p, &plan), HG_E_UNSUPPORTED);
    test_error(HG_E_UNSUPPORTED, "of workspace, the limit is 100000");
}
END_TEST

START_TEST(what_transforms_cannot_do_is_refused_by_name)
{
    static const struct {
        const char *key, *reason;
    } cases[] = {
        {"fwd 2x8x9x9 8x3x3 s2x1", "fft: stride 2)"},        {"fwd 2x8x3x4x5 8x3x3x3", "fft: 3 dimensions)"},
        {"fwd 2x8x9x9 8x3x3 f64", "fft: only for float32)"}, {"fwd 2x8x9x9 8x3x3 g2", "fft: 2 groups)"},
        {"fwd 2x8x99x99 8x3x3 d40x1", "fft: a kernel that spans 81 pixels, more than a tile of 64)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const hg_conv_plan *plan;
        hg_conv_problem p;
        ck_assert_hg(hg_conv_parse(cases[i].key, &p));
        strcpy(p.solver, "fft");
        ck_assert_int_eq(hg_conv_choose(test_device(), &p, &plan), HG_E_UNSUPPORTED);
        test_error(HG_E_UNSUPPORTED, cases[i].reason);
    }
}
END_TEST

Suite *fft_suite(void)
{
    return TEST_SUITE("fft", convolutions_by_transforms_agree_with_the_definition,
                      chunks_of_tiles_keep_to_the_workspace, what_transforms_cannot_do_is_refused_by_name);
}
