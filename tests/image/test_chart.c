/* Charts: ticks, what is drawn where, odd data, bad input. HAPGOP_CHART_FOLDER keeps the pictures to look at. */
#include "test_image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "image/axis.h"

static void expect_ticks(double low, double high, int most, bool whole, const char *labels)
{
    hg_axis axis;
    char text[400] = "", label[32];
    hg_axis_range(&axis, low, high, 0);
    hg_axis_ticks(&axis, most, whole);
    ck_assert_int_le(axis.ticks, most);
    for (int i = 0; i < axis.ticks; i++) {
        hg_axis_label(&axis, i, label);
        strcat(strcat(text, i ? " " : ""), label);
    }
    ck_assert_str_eq(text, labels);
}

START_TEST(ticks_are_nice)
{
    expect_ticks(0, 3000, 8, true, "0 500 1000 1500 2000 2500 3000");
    expect_ticks(0, 1, 6, false, "0.0 0.2 0.4 0.6 0.8 1.0");
    expect_ticks(0, 1, 5, false, "0.00 0.25 0.50 0.75 1.00");
    expect_ticks(0, 3, 10, true, "0 1 2 3");
    expect_ticks(0, 6, 4, true, "0 2 4 6");
    expect_ticks(-1, 1, 5, false, "-1.0 -0.5 0.0 0.5 1.0");
    expect_ticks(83.21, 86.39, 4, false, "84 85 86");
    expect_ticks(0, 5e6, 6, true, "0 1e6 2e6 3e6 4e6 5e6");
    expect_ticks(0, 1e-7, 5, false, "0 2.50e-8 5.00e-8 7.50e-8 1.00e-7");
    expect_ticks(-1e300, 1e300, 5, false, "-1.0e300 -5.0e299 0 5.0e299 1.0e300");
}
END_TEST

START_TEST(ranges_have_length)
{
    static const double values[] = {0, 1, -5, 1e-300, 5e-324, 1e300, -1e300, 12345678.9};
    for (int i = 0; i < (int)(sizeof values / sizeof *values); i++) {
        hg_axis axis;
        hg_axis_range(&axis, values[i], values[i], 0.05);
        ck_assert(axis.low < values[i] && values[i] < axis.high && isfinite(axis.high - axis.low));
        for (int most = 2; most <= 10; most++) {
            hg_axis_ticks(&axis, most, false);
            ck_assert(axis.ticks >= 1 && axis.ticks <= most);
        }
    }
    hg_axis axis;
    hg_axis_range(&axis, INFINITY, -INFINITY, 0.05);
    ck_assert(axis.low == 0 && axis.high == 1);
}
END_TEST

START_TEST(random_ranges_have_two_to_most_ticks_inside)
{
    unsigned seed = (unsigned)getpid();
    for (int i = 0; i < 20000; i++) {
        double low = ((double)rand_r(&seed) / RAND_MAX - 0.5) * pow(10, rand_r(&seed) % 400 - 200);
        double high = low + (double)rand_r(&seed) / RAND_MAX * pow(10, rand_r(&seed) % 400 - 200);
        int most = 3 + rand_r(&seed) % 8;
        hg_axis axis;
        hg_axis_range(&axis, low, high, 0.02);
        hg_axis_ticks(&axis, most, false);
        double end = (axis.first + axis.ticks - 1) * axis.step, slack = 1e-6 * axis.step;
        ck_assert_msg(axis.ticks >= 1 && axis.ticks <= most && axis.first * axis.step >= axis.low - slack &&
                          end <= axis.high + slack, "%.17g .. %.17g, at most %d: %d", low, high, most, axis.ticks);
    }
}
END_TEST

/* Draws and, if asked, keeps the picture. */
static hg_image draw(const hg_chart *chart, const char *name)
{
    hg_image image;
    hg_clear_error();
    ck_assert_msg(hg_chart_draw(chart, &image) == HG_OK, "%s: %s", name, hg_last_error());
    const char *folder = getenv("HAPGOP_CHART_FOLDER");
    if (folder) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.png", folder, name);
        ck_assert_int_eq(hg_chart_write_png(path, chart), HG_OK);
    }
    return image;
}

/* How many pixels of exactly this colour lie in columns x0..x1-1. */
static int count_color(const hg_image *image, uint32_t rgb, int x0, int x1)
{
    int n = 0;
    for (int y = 0; y < image->height; y++) {
        for (int x = x0; x < x1; x++) {
            const uint8_t *p = image->pixels + 3 * (y * image->width + x);
            n += ((uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]) == rgb;
        }
    }
    return n;
}

static hg_image draw_one(hg_chart_series series, const char *name)
{
    hg_chart_panel panel = {.title = name, .x_label = "iteration", .y_label = "loss", .series = &series,
                            .series_count = 1};
    return draw(&(hg_chart){.panels = &panel, .panel_count = 1, .width = 600, .height = 400}, name);
}

START_TEST(training_curves)
{
    enum { N = 3000, M = 60 };
    static double it[N], loss[N], smooth[N], at[M], test[M];
    unsigned seed = 1;
    for (int i = 0; i < N; i++) {
        it[i] = i + 1;
        loss[i] = 0.25 + 2.05 * exp(-i / 150.0) + 0.25 * ((double)rand_r(&seed) / RAND_MAX - 0.5);
    }
    for (int i = 0; i < M; i++) {
        at[i] = 50 * (i + 1);
        test[i] = 90 - 25 * exp(-i / 8.0) + 0.8 * sin(i * 1.7);
    }
    ck_assert_int_eq(hg_chart_smooth(loss, N, 0.97, smooth), HG_OK);
    hg_chart_series losses[] = {
        {.label = "each batch", .x = it, .y = loss, .count = N, .color = 0x1f77b4, .faint = true},
        {.label = "smoothed", .x = it, .y = smooth, .count = N, .color = 0x1f77b4}};
    hg_chart_series accuracies[] = {{.label = "test set", .x = at, .y = test, .count = M, .color = 0xd62728,
                                     .dots = true}};
    hg_chart_panel panels[] = {
        {.title = "Loss", .x_label = "iteration", .y_label = "cross entropy", .series = losses, .series_count = 2},
        {.title = "Accuracy", .x_label = "iteration", .y_label = "%", .series = accuracies, .series_count = 1}};
    hg_image image = draw(&(hg_chart){.title = "FashionCNN", .panels = panels, .panel_count = 2}, "curves");
    ck_assert_int_eq(image.width, 1200);
    ck_assert_int_eq(image.height, 500);
    ck_assert_int_eq(image.channels, 3);
    ck_assert_int_gt(count_color(&image, 0x1f77b4, 0, 600), 500);       /* each line in its own panel */
    ck_assert_int_eq(count_color(&image, 0x1f77b4, 600, 1200), 0);
    ck_assert_int_gt(count_color(&image, 0xd62728, 600, 1200), 500);
    ck_assert_int_eq(count_color(&image, 0xd62728, 0, 600), 0);
    for (int y = 0; y < image.height; y++)                              /* the edge stays free */
        for (int x = 0; x < 3 * 4; x++) ck_assert_int_eq(image.pixels[3 * y * image.width + x], 255);
    hg_image_free(&image);
}
END_TEST

START_TEST(odd_data_draws)
{
    static const double gaps[] = {1, 2, NAN, NAN, 3, NAN, 2, INFINITY, 1, 1.5}, constant[] = {7, 7, 7, 7};
    static const double nothing[] = {NAN, NAN}, huge[] = {-1e300, 1e300, 1e308, -INFINITY}, tiny[] = {0, 5e-324};
    hg_image image = draw_one((hg_chart_series){.y = gaps, .count = 10, .color = 0xff0000}, "gaps");
    int lines = count_color(&image, 0xff0000, 0, 600);
    hg_image_free(&image);
    static const double joined[] = {1, 2, 2.5, 2.5, 3, 2.5, 2, 1.5, 1, 1.5};
    image = draw_one((hg_chart_series){.y = joined, .count = 10, .color = 0xff0000}, "joined");
    ck_assert_int_gt(lines, 50);
    ck_assert_int_gt(count_color(&image, 0xff0000, 0, 600), lines + 100);
    hg_image_free(&image);

    image = draw_one((hg_chart_series){.y = constant, .count = 4, .color = 0xff0000}, "constant");
    ck_assert_int_gt(count_color(&image, 0xff0000, 0, 600), 400);
    hg_image_free(&image);
    image = draw_one((hg_chart_series){.y = constant, .count = 1, .color = 0xff0000}, "one point");
    ck_assert_int_gt(count_color(&image, 0xff0000, 0, 600), 5);         /* a dot */
    ck_assert_int_lt(count_color(&image, 0xff0000, 0, 600), 50);
    hg_image_free(&image);
    image = draw_one((hg_chart_series){.color = 0xff0000}, "empty");
    ck_assert_int_eq(count_color(&image, 0xff0000, 0, 600), 0);
    hg_image_free(&image);
    image = draw_one((hg_chart_series){.y = nothing, .count = 2, .color = 0xff0000}, "nothing but gaps");
    ck_assert_int_eq(count_color(&image, 0xff0000, 0, 600), 0);
    hg_image_free(&image);
    image = draw_one((hg_chart_series){.y = huge, .count = 4, .color = 0xff0000}, "huge");
    ck_assert_int_gt(count_color(&image, 0xff0000, 0, 600), 50);
    hg_image_free(&image);
    image = draw_one((hg_chart_series){.y = tiny, .count = 2, .color = 0xff0000}, "tiny");
    ck_assert_int_gt(count_color(&image, 0xff0000, 0, 600), 50);
    hg_image_free(&image);
}
END_TEST

START_TEST(no_series_and_long_texts_draw)
{
    static const double y[] = {1e6, 2e6, 3.5e6, 3e6};
    char text[3000];
    for (int i = 0; i + 2 < (int)sizeof text; i += 2) memcpy(text + i, "\u00e9", 2);
    text[sizeof text - 2] = 0;
    hg_chart_series series[8];
    for (int i = 0; i < 8; i++)
        series[i] = (hg_chart_series){.label = i == 5 ? text : "validation set", .x = y, .y = y, .count = i % 5};
    hg_chart_panel panels[] = {{.title = text, .x_label = text, .y_label = text, .series = series, .series_count = 8},
                               {0},
                               {.title = "fixed", .series = series, .series_count = 8, .y_min = -1, .y_max = 0}};
    hg_image image = draw(&(hg_chart){.title = text, .panels = panels, .panel_count = 3}, "long texts");
    for (int y0 = 0; y0 < image.height; y0++)
        for (int x = 1196 * 3; x < 1200 * 3; x++) ck_assert_int_eq(image.pixels[3 * y0 * image.width + x], 255);
    hg_image_free(&image);
}
END_TEST

START_TEST(a_million_points_draw)
{
    int n = 1000000;
    double *y = malloc((size_t)n * sizeof *y);
    ck_assert_ptr_nonnull(y);
    for (int i = 0; i < n; i++) y[i] = i == n / 2 ? 10 : sin(i * 0.001);
    hg_image image = draw_one((hg_chart_series){.y = y, .count = n, .color = 0xff0000, .dots = true}, "a million");
    int top = 0;    /* the one high point is not lost */
    for (int row = 30; row < 80; row++)
        for (int x = 0; x < 600; x++) {
            const uint8_t *p = image.pixels + 3 * (row * 600 + x);
            top += p[0] > 200 && p[1] < 100 && p[2] < 100;
        }
    ck_assert_int_gt(top, 20);
    hg_image_free(&image);
    free(y);
}
END_TEST

START_TEST(bad_charts_are_refused)
{
    static const double y[] = {1, 2};
    hg_image image;
    hg_chart_series series = {.y = y, .count = 2};
    hg_chart_panel panel = {.series = &series, .series_count = 1};
    hg_chart chart = {.panels = &panel};
    ck_assert_fails(hg_chart_draw(&chart, &image), HG_E_ARG, "0 panels");
    chart.panel_count = 17;
    ck_assert_fails(hg_chart_draw(&chart, &image), HG_E_ARG, "17 panels");
    chart.panel_count = 1;
    chart.width = 99;
    ck_assert_fails(hg_chart_draw(&chart, &image), HG_E_ARG, "99 x 500");
    chart.width = 8193;
    ck_assert_fails(hg_chart_draw(&chart, &image), HG_E_ARG, "8193 x 500");
    chart.width = 110;
    ck_assert_fails(hg_chart_draw(&chart, &image), HG_E_ARG, "no room", "width larger");
    chart.width = 0;
    chart.height = 100;
    ck_assert_fails(hg_chart_draw(&chart, &image), HG_E_ARG, "no room", "height larger");
    chart.height = 0;
    series.count = -1;
    ck_assert_fails(hg_chart_draw(&chart, &image), HG_E_ARG, "series 0 of panel 0 has -1 points");
    series = (hg_chart_series){.count = 2};
    ck_assert_fails(hg_chart_draw(&chart, &image), HG_E_ARG, "2 points but no y");
    series.y = y;
    panel.y_min = 1;
    ck_assert_fails(hg_chart_draw(&chart, &image), HG_E_ARG, "1 to 0");
    panel.y_min = NAN;
    ck_assert_fails(hg_chart_draw(&chart, &image), HG_E_ARG, "vertical range");
    panel.y_min = 0;
    panel.title = "\xff\xfe";
    ck_assert_fails(hg_chart_draw(&chart, &image), HG_E_ARG, "not UTF-8");
    panel.title = NULL;
    panel.series_count = 65;
    ck_assert_fails(hg_chart_draw(&chart, &image), HG_E_ARG, "65 series");
    panel.series_count = 1;
    ck_assert_ptr_null(image.pixels);
    ck_assert_fails(hg_chart_write_png("/nonexistent/a.png", &chart), HG_E_IO, "/nonexistent/a.png");
    ck_assert_int_eq(hg_chart_draw(&chart, &image), HG_OK);     /* all is still usable */
    hg_image_free(&image);
}
END_TEST

START_TEST(smoothing_has_no_start_bias)
{
    double y[] = {4, 4, NAN, 4, 8}, out[5];
    ck_assert_int_eq(hg_chart_smooth(y, 5, 0.5, out), HG_OK);
    ck_assert(out[0] == 4 && out[1] == 4 && isnan(out[2]) && out[3] == 4);
    ck_assert_double_eq_tol(out[4], 4 + 4 * 0.5 / (1 - 0.0625), 1e-12);
    ck_assert_int_eq(hg_chart_smooth(y, 5, 0, out), HG_OK);
    ck_assert(out[0] == 4 && isnan(out[2]) && out[4] == 8);
    ck_assert_int_eq(hg_chart_smooth(NULL, 0, 0.9, NULL), HG_OK);
    ck_assert_fails(hg_chart_smooth(y, 5, 1, out), HG_E_ARG, "weight is 1");
    ck_assert_fails(hg_chart_smooth(y, 5, NAN, out), HG_E_ARG, "weight");
    ck_assert_fails(hg_chart_smooth(y, -1, 0.5, out), HG_E_ARG, "-1 values");
    ck_assert_fails(hg_chart_smooth(NULL, 5, 0.5, out), HG_E_ARG, "NULL");
}
END_TEST

START_TEST(a_matrix_is_dark_where_counts_are_high)
{
    static const char *const names[] = {"cat", "a dog of some length"};
    char path[] = "/tmp/hapgop-matrix-XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    close(file);
    hg_matrix_chart m = {"Title", "true", "answer", names, (int64_t[]){50, 0, 2, 50}, 2};
    hg_clear_error();
    ck_assert_msg(hg_matrix_write_png(path, &m) == HG_OK, "%s", hg_last_error());
    hg_image image;
    ck_assert_int_eq(hg_image_read_png(path, &image), HG_OK);
    int dark = count_color(&image, 0x08306b, 0, image.width);     /* two cells of 60 x 60, less their numbers */
    ck_assert_int_ge(dark, 2 * 3000);
    ck_assert_int_le(dark, 2 * 3600);
    hg_image_free(&image);

    int64_t many[40 * 40] = {0};
    const char *letters[40];
    for (int i = 0; i < 40; i++) letters[i] = "x";
    m = (hg_matrix_chart){NULL, NULL, NULL, letters, many, 40};
    ck_assert_int_eq(hg_matrix_write_png(path, &m), HG_OK);
    many[41] = -1;
    ck_assert_fails(hg_matrix_write_png(path, &m), HG_E_ARG, "count 41 is -1");
    m.size = 0;
    ck_assert_fails(hg_matrix_write_png(path, &m), HG_E_ARG, "0 classes");
    m.size = 513;
    ck_assert_fails(hg_matrix_write_png(path, &m), HG_E_ARG, "1 to 512");
    m.size = 1;
    m.names = (const char *[]){"\xff"};
    ck_assert_fails(hg_matrix_write_png(path, &m), HG_E_ARG, "not UTF-8");
    unlink(path);
}
END_TEST

Suite *chart_suite(void)
{
    Suite *suite = suite_create("chart");
    TCase *tests = tcase_create("chart");
    tcase_add_test(tests, ticks_are_nice);
    tcase_add_test(tests, ranges_have_length);
    tcase_add_test(tests, random_ranges_have_two_to_most_ticks_inside);
    tcase_add_test(tests, training_curves);
    tcase_add_test(tests, odd_data_draws);
    tcase_add_test(tests, no_series_and_long_texts_draw);
    tcase_add_test(tests, a_million_points_draw);
    tcase_add_test(tests, bad_charts_are_refused);
    tcase_add_test(tests, smoothing_has_no_start_bias);
    tcase_add_test(tests, a_matrix_is_dark_where_counts_are_high);
    suite_add_tcase(suite, tests);
    return suite;
}
