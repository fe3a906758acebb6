// SPDX-License-Identifier: Apache-2.0
// Runs the top of tests/sim/pair.py: a row of stimuli in, a clock edge, a row of outputs of each side out.
#include <cstdint>
#include <cstdio>

#include "Vpair.h"
#include "twin/array.hpp"
#include "verilated.h"

int main(int, char** argv) {
    VerilatedContext context;
    Vpair top{&context, "top"};
    std::FILE* in = std::fopen(argv[1], "rb");
    std::FILE* out = std::fopen(argv[2], "wb");
    if (!in || !out) return 1;
    uint32_t row[WORDS_IN];
    while (std::fread(row, 4, WORDS_IN, in) == WORDS_IN) {
        top.clk = 0;
        for (unsigned i = 0; i < WORDS_IN; i++) top.stimulus[i] = row[i];
        top.eval();
        top.clk = 1;
        top.eval();
        std::fwrite(top.shown0.data(), 4, WORDS_OUT, out);
        std::fwrite(top.shown1.data(), 4, WORDS_OUT, out);
    }
    top.final();
    std::fclose(in);
    return std::fclose(out);
}
