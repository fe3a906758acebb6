// SPDX-License-Identifier: Apache-2.0
// The Verilated accelerator, its DRAM and its monitors as a shared library; sim/device.py is the Python side.
// "pins.hpp" is written by sim/verilate.py from the top's port list.
#include <memory>
#include <string>
#include <vector>

#include "Vtop.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

#include "dram.hpp"
#include "monitor.hpp"
#include "pins.hpp"
#include "twin/array.hpp"

namespace {

constexpr uint32_t CONTROL = 0, START = 1, SOFT_RESET = 2;  // codesign.program.registers
constexpr unsigned LITE_LIMIT = 10000;  // cycles a register access may take

class Simulation {
    VerilatedContext context;
    Vtop top{&context, "top"};
    Memory memory;
    Budget budget;
    std::vector<ReadSide> reads;
    std::vector<WriteSide> writes;
    uint64_t now = 0;
#if VM_TRACE
    VerilatedVcdC vcd;
    uint64_t trace_from = 0, trace_to = 0;
#endif

    void dump(unsigned half) {
#if VM_TRACE
        if (now >= trace_from && now < trace_to) vcd.dump(10 * now + 5 * half);
        if (half && now + 1 == trace_to) vcd.close();
#else
        (void)half;
#endif
    }

    void drive() {
        budget.tick();
        const size_t n = reads.size() + writes.size();  // whoever is first takes the bandwidth: everybody in turn
        for (size_t i = 0; i < n; i++) {
            const size_t k = (i + now) % n;
            if (k < reads.size())
                reads[k].drive(now);
            else
                writes[k - reads.size()].drive(now);
        }
    }

    void abandon() {
        for (auto& log : event_logs) log.abandon();
    }

    void monitor() {
        const uint32_t cycle = uint32_t(now);
        each_write(top, [&](unsigned writer, uint16_t addr, uint32_t mask, const void* data) {
            if (record >> writer & 1) write_logs[writer].add(cycle, addr, mask, data);
        });
        each_engine(top, [&](unsigned engine, bool starts, uint16_t started, bool retires, uint16_t retired, unsigned shown) {
            EventLog& log = event_logs[engine];
            if (starts) log.start(cycle, started);
            log.activity(shown);
            if (retires && !log.retire(cycle, retired))
                violation("engine %u retires instruction %u, which is not the oldest it started", engine, retired);
        });
    }

    void cycle() {
        drive();
        top.clk = 0;
        top.eval();
        dump(0);
        for (auto& side : reads) side.sample(now);
        for (auto& side : writes) side.sample(now);
        if (!top.rst) monitor();
    }

    void edge() {
        top.clk = 1;
        top.eval();
        dump(1);
        now++;
    }

  public:
    uint32_t record = ~0u;  // bit i: keep the writes of writer i
    std::string message;
    WriteLog write_logs[WRITERS ? WRITERS : 1];
    EventLog event_logs[ENGINES ? ENGINES : 1];

    explicit Simulation(const Memory& m) : memory(m) {
        budget.rate = memory.bytes_per_cycle;
        bind_ports(top, [&](unsigned port, const ReadPins& pins) { reads.emplace_back(pins, memory, budget, port); },
                   [&](unsigned port, const WritePins& pins) { writes.emplace_back(pins, memory, budget, port); });
        for (auto& log : write_logs) log.setup(LANES);
        reset();
    }
    ~Simulation() {
#if VM_TRACE
        if (vcd.isOpen()) vcd.close();
#endif
        top.final();
    }

    void reset() {
        top.rst = 1;
        for (unsigned i = 0; i < 4; i++) cycle(), edge();
        top.rst = 0;
        abandon();
    }

    uint64_t cycles() const { return now; }
    bool irq() const { return top.irq; }

    // 1: the interrupt is high; 0: `limit` cycles are over.
    int run(uint64_t limit) {
        for (uint64_t i = 0; i < limit; i++) {
            cycle();
            const bool stop = top.irq;
            edge();
            if (stop) return 1;
        }
        return 0;
    }

    void write(uint32_t offset, uint32_t value) {
        bool address = true, data = true;
        top.s_axi_awaddr = offset;
        top.s_axi_wdata = value;
        top.s_axi_wstrb = 15;
        top.s_axi_bready = 1;
        for (unsigned i = 0; i < LITE_LIMIT; i++) {
            top.s_axi_awvalid = address;
            top.s_axi_wvalid = data;
            cycle();
            if (top.s_axi_awready) address = false;
            if (top.s_axi_wready) data = false;
            const bool answered = top.s_axi_bvalid;
            const unsigned response = top.s_axi_bresp;
            if (answered && (address || data)) violation("register write 0x%x answered before it was complete", offset);
            edge();
            if (!answered) continue;
            top.s_axi_awvalid = top.s_axi_wvalid = top.s_axi_bready = 0;
            if (response) violation("register write 0x%x got error response %u", offset, response);
            if (offset == CONTROL && (value & (START | SOFT_RESET))) abandon();
            return;
        }
        violation("register write 0x%x got no answer in %u cycles", offset, LITE_LIMIT);
    }

    uint32_t read(uint32_t offset) {
        bool address = true;
        top.s_axi_araddr = offset;
        top.s_axi_rready = 1;
        for (unsigned i = 0; i < LITE_LIMIT; i++) {
            top.s_axi_arvalid = address;
            cycle();
            if (top.s_axi_arready) address = false;
            const bool answered = top.s_axi_rvalid;
            const unsigned response = top.s_axi_rresp;
            const uint32_t value = top.s_axi_rdata;
            if (answered && address) violation("register read 0x%x answered before it was asked", offset);
            edge();
            if (!answered) continue;
            top.s_axi_arvalid = top.s_axi_rready = 0;
            if (response) violation("register read 0x%x got error response %u", offset, response);
            return value;
        }
        violation("register read 0x%x got no answer in %u cycles", offset, LITE_LIMIT);
    }

    void set_error_range(uint32_t low, uint32_t high) {
        memory.error_low = low;
        memory.error_high = high;
    }

    void silence(uint64_t from, uint64_t to) {
        memory.silent_from = from;
        memory.silent_to = to;
    }

    void set_lenient(bool lenient) { memory.lenient = lenient; }

    // Read and write bursts outside the memory.
    void outside(uint64_t* out) const {
        out[0] = memory.outside_reads;
        out[1] = memory.outside_writes;
    }

    // Per port: bytes and bursts read, bytes and bursts written.
    void traffic(uint64_t* out) const {
        for (unsigned p = 0; p < 2; p++) {
            const Traffic r = p < reads.size() ? reads[p].traffic : Traffic{};
            const Traffic w = p < writes.size() ? writes[p].traffic : Traffic{};
            const uint64_t row[4] = {r.bytes, r.bursts, w.bytes, w.bursts};
            std::memcpy(out + 4 * p, row, sizeof row);
        }
    }

    void clear() {
        for (auto& log : write_logs) log.clear();
        for (auto& log : event_logs) log.clear();
        for (auto& side : reads) side.traffic = {};
        for (auto& side : writes) side.traffic = {};
    }

    bool quiet() const {
        for (auto& side : reads)
            if (!side.idle()) return false;
        for (auto& side : writes)
            if (!side.idle()) return false;
        return true;
    }

    bool trace(const char* path, uint64_t from, uint64_t to) {
#if VM_TRACE
        context.traceEverOn(true);
        top.trace(&vcd, 99);
        vcd.open(path);
        trace_from = from;
        trace_to = to;
        return vcd.isOpen();
#else
        (void)path, (void)from, (void)to;
        return false;
#endif
    }

    // Runs `work`; a violation becomes the message and -1.
    template <class Work>
    int guarded(Work&& work) {
        try {
            return work();
        } catch (const std::exception& error) {
            message = "cycle " + std::to_string(now) + ": " + error.what();
            return -1;
        }
    }
};

}  // namespace

extern "C" {
Simulation* sim_new(const Memory* memory) { return new Simulation(*memory); }
void sim_delete(Simulation* sim) { delete sim; }
const char* sim_message(Simulation* sim) { return sim->message.c_str(); }
int sim_run(Simulation* sim, uint64_t limit) {
    return sim->guarded([&] { return sim->run(limit); });
}
int sim_write(Simulation* sim, uint32_t offset, uint32_t value) {
    return sim->guarded([&] { return sim->write(offset, value), 0; });
}
int sim_read(Simulation* sim, uint32_t offset, uint32_t* value) {
    return sim->guarded([&] { return *value = sim->read(offset), 0; });
}
int sim_reset(Simulation* sim) {
    return sim->guarded([&] { return sim->reset(), 0; });
}
uint64_t sim_cycles(Simulation* sim) { return sim->cycles(); }
int sim_irq(Simulation* sim) { return sim->irq(); }
int sim_quiet(Simulation* sim) { return sim->quiet(); }
void sim_record(Simulation* sim, uint32_t writers) { sim->record = writers; }
void sim_clear(Simulation* sim) { sim->clear(); }
void sim_error_range(Simulation* sim, uint32_t low, uint32_t high) { sim->set_error_range(low, high); }
void sim_silence(Simulation* sim, uint64_t from, uint64_t to) { sim->silence(from, to); }
void sim_lenient(Simulation* sim, int lenient) { sim->set_lenient(lenient); }
void sim_outside(Simulation* sim, uint64_t* out) { sim->outside(out); }
void sim_traffic(Simulation* sim, uint64_t* out) { sim->traffic(out); }
uint64_t sim_writes(Simulation* sim, unsigned writer, const void** data) {
    *data = sim->write_logs[writer].data();
    return sim->write_logs[writer].count();
}
uint64_t sim_events(Simulation* sim, unsigned engine, const void** data) {
    *data = sim->event_logs[engine].data();
    return sim->event_logs[engine].count();
}
int sim_trace(Simulation* sim, const char* path, uint64_t from, uint64_t to) { return sim->trace(path, from, to); }
}
