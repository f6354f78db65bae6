/* SPDX-License-Identifier: Apache-2.0
 *
 * Written by record_peer.py; not edited. */
/* clang-format off */
enum { N_IDS = 10000 };
static const struct {
    const char *ratio;
    unsigned n_sampled;
    uint64_t hash;
} ratios[] = {
    {"0", 0, UINT64_C(0xa6e4f0723147f065)},
    {"0.0001", 1, UINT64_C(0xff00f5611ac355fc)},
    {"0.001", 11, UINT64_C(0xc97c0ffb93df18aa)},
    {"0.01", 112, UINT64_C(0x71371524abbc2823)},
    {"0.1", 1063, UINT64_C(0x344f4a02e7976d36)},
    {"0.25", 2521, UINT64_C(0x33c31185c6d61760)},
    {"0.3", 3021, UINT64_C(0xf40cafcaedc70cac)},
    {"0.5", 5043, UINT64_C(0xd537b710db02ffc6)},
    {"0.6666", 6750, UINT64_C(0xca4c8468e6a9f8e1)},
    {"0.99", 9890, UINT64_C(0x0869709a2e8da00b)},
    {"1", 10000, UINT64_C(0x5b646309fdbd5375)},
};
static const struct {
    const char *ratio;
    unsigned n_sampled;
    uint64_t hash;
} probabilities[] = {
    {"0", 0, UINT64_C(0xa6e4f0723147f065)},
    {"0.0625", 637, UINT64_C(0x5fb1a508efec558a)},
    {"0.125", 1206, UINT64_C(0xe98916829c317447)},
    {"0.25", 2469, UINT64_C(0x2d2571c02182f768)},
    {"0.5", 4973, UINT64_C(0xe7bee0626ffb7c86)},
    {"0.75", 7507, UINT64_C(0x3a4e2bf4dff8d8a8)},
    {"1", 10000, UINT64_C(0x5b646309fdbd5375)},
};
static const struct {
    const char *before;
    bool has_parent, parent_is_sampled;
    const char *ratio;
    bool is_sampled;
    const char *after;
} states[] = {
    {"", false, false, "0.25", true, "ot=th:c"},
    {"vendor=1", false, false, "0.5", true, "ot=th:8,vendor=1"},
    {"ot=rv:6e6d1a75832a2f", false, false, "0.5", false, "ot=rv:6e6d1a75832a2f"},
    {"ot=rv:6e6d1a75832a2f", false, false, "0.75", true, "ot=th:4;rv:6e6d1a75832a2f"},
    {"a=1,ot=rv:ffffffffffffff;x:y,b=2", false, false, "0.0625", true, "ot=th:f;rv:ffffffffffffff;x:y,a=1,b=2"},
    {"ot=th:8;rv:ffffffffffffff", false, false, "0.25", true, "ot=th:c;rv:ffffffffffffff"},
    {"ot=x:y", false, false, "1", true, "ot=th:0;x:y"},
    {"ot=th:c;x:y,a=1", true, true, "0.5", true, "ot=th:c;x:y,a=1"},
    {"ot=th:0", true, true, "0.5", true, "ot=th:0"},
    {"a=1", true, true, "0.5", true, "a=1"},
    {"ot=th:8;rv:80000000000000", true, true, "0.5", true, "ot=th:8;rv:80000000000000"},
    {"a=1", true, false, "0.5", false, "a=1"},
    {"ot=x:y", true, false, "0.5", false, "ot=x:y"},
};
