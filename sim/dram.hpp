// SPDX-License-Identifier: Apache-2.0
// DRAM behind AXI ports: latency, bandwidth shared by all ports, and the protocol's rules, each enforced.
#pragma once

#include <array>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>

constexpr unsigned BEAT = 8;  // bytes

// Stops the run; the message goes to Python.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[noreturn, gnu::format(printf, 1, 2)]] inline void violation(const char* format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    std::vsnprintf(text, sizeof text, format, args);
    va_end(args);
    throw Violation(text);
}

// Same layout as `_Memory` in sim/device.py.
struct Memory {
    uint8_t* data;
    uint64_t size;
    uint32_t base;  // address of data[0]
    uint32_t latency;
    uint32_t bytes_per_cycle;  // all ports, both directions
    uint32_t burst_beats;
    uint32_t outstanding;
    uint32_t stall;  // chance in 1024 that a channel pauses for a cycle
    uint64_t seed;
    uint32_t error_low, error_high;  // addresses answered with SLVERR
    uint32_t lenient;  // bursts outside the memory are answered with DECERR and counted; otherwise they end the run
    uint64_t silent_from, silent_to;  // cycles in which nothing is taken or answered
    uint64_t outside_reads, outside_writes;  // bursts outside the memory
};

constexpr uint8_t SLVERR = 2, DECERR = 3;

struct Random {
    uint64_t state;
    uint32_t next() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return uint32_t(state >> 20);
    }
};

// Cycle budget in bytes: unused bytes of a cycle are lost, but for the rest that is smaller than a beat.
struct Budget {
    uint32_t rate = 0, left = 0;
    void tick() { left = std::min(left + rate, rate + BEAT - 1); }
    bool take() {
        if (left < BEAT) return false;
        left -= BEAT;
        return true;
    }
};

// A master's channel must keep valid and payload until ready.
template <class Payload>
struct Stable {
    bool waiting = false;
    Payload last{};
    void check(bool valid, bool ready, const Payload& now, unsigned port, const char* channel) {
        if (waiting && !valid) violation("port %u: %sVALID fell before %sREADY", port, channel, channel);
        if (waiting && !(now == last)) violation("port %u: %s payload changed before %sREADY", port, channel, channel);
        waiting = valid && !ready;
        if (waiting) last = now;
    }
};

struct Address {
    uint32_t addr;
    uint8_t len, size, burst;
    bool operator==(const Address& o) const {
        return addr == o.addr && len == o.len && size == o.size && burst == o.burst;
    }
};

struct WriteBeat {
    uint64_t data;
    uint8_t strobe, last;
    bool operator==(const WriteBeat& o) const { return data == o.data && strobe == o.strobe && last == o.last; }
};

// Pointers to the Verilated top's pins; one that the design lacks points to a spare.
struct ReadPins {
    uint8_t *arvalid, *arready, *arlen, *arsize, *arburst, *rvalid, *rready, *rlast, *rresp;
    uint32_t* araddr;
    uint64_t* rdata;
};

struct WritePins {
    uint8_t *awvalid, *awready, *awlen, *awsize, *awburst, *wvalid, *wready, *wlast, *wstrb;
    uint8_t *bvalid, *bready, *bresp;
    uint32_t* awaddr;
    uint64_t* wdata;
};

struct Traffic {
    uint64_t bytes = 0, bursts = 0;
};

class PortSide {
  protected:
    Memory& memory;
    Budget& budget;
    const unsigned port;
    Random random;

    bool silent(uint64_t now) const { return now >= memory.silent_from && now < memory.silent_to; }

    bool pauses() { return memory.stall && random.next() % 1024 < memory.stall; }

    // Beyond the first data: a random share of the latency when stalls are on.
    uint64_t ready_at(uint64_t now) { return now + memory.latency + (memory.stall ? random.next() % memory.latency : 0); }

    bool holds(uint32_t addr) const { return addr >= memory.base && addr - memory.base < memory.size; }

    // No burst crosses 4 KiB and the memory is whole pages, so that a beat tells for its burst.
    uint8_t response(uint32_t addr) const {
        if (!holds(addr)) return DECERR;
        return addr >= memory.error_low && addr < memory.error_high ? SLVERR : 0;
    }

    void accept(const Address& a, size_t outstanding, const char* channel) const {
        const unsigned bytes = (a.len + 1u) * BEAT;
        const unsigned long long from = a.addr, to = from + bytes, end = uint64_t(memory.base) + memory.size;
        if (a.size != 3) violation("port %u: %sSIZE is %u, must be 3 (8 bytes)", port, channel, a.size);
        if (a.burst != 1) violation("port %u: %sBURST is %u, must be 1 (INCR)", port, channel, a.burst);
        if (a.addr % BEAT) violation("port %u: %sADDR 0x%llx is not a multiple of 8", port, channel, from);
        if (a.len >= memory.burst_beats)
            violation("port %u: %s burst of %u beats, at most %u allowed", port, channel, a.len + 1u, memory.burst_beats);
        if (from / 4096 != (to - 1) / 4096)
            violation("port %u: %s burst 0x%llx..0x%llx crosses a 4 KiB boundary", port, channel, from, to - 1);
        if (!memory.lenient && (from < memory.base || to > end))
            violation("port %u: %s burst 0x%llx..0x%llx is outside the memory 0x%x..0x%llx", port, channel, from, to - 1,
                      memory.base, end - 1);
        if (outstanding >= memory.outstanding)
            violation("port %u: more than %u %s bursts outstanding", port, memory.outstanding, channel);
    }

    uint8_t* at(uint32_t addr) const { return memory.data + (addr - memory.base); }

  public:
    Traffic traffic;

    PortSide(Memory& m, Budget& b, unsigned number, uint64_t salt)
        : memory(m), budget(b), port(number), random{(m.seed + 1) * 0x9E3779B97F4A7C15ull + salt} {}
};

class ReadSide : PortSide {
    struct Burst {
        uint32_t addr;
        unsigned left;
        uint64_t ready;
    };
    ReadPins pins;
    std::deque<Burst> bursts;
    Stable<Address> stable;
    bool shown = false;

    Address address() const { return {*pins.araddr, *pins.arlen, *pins.arsize, *pins.arburst}; }

  public:
    using PortSide::traffic;

    ReadSide(const ReadPins& p, Memory& m, Budget& b, unsigned number) : PortSide(m, b, number, 2 * number), pins(p) {}

    // Values for this cycle, from what happened in the last ones.
    void drive(uint64_t now) {
        const bool quiet = silent(now);
        *pins.arready = !pauses() && !quiet;
        if (shown) return;
        *pins.rvalid = 0;
        if (quiet || bursts.empty() || bursts.front().ready > now || pauses() || !budget.take()) return;
        const Burst& burst = bursts.front();
        const uint8_t bad = response(burst.addr);
        *pins.rdata = 0;
        if (bad != DECERR) std::memcpy(pins.rdata, at(burst.addr), BEAT);
        if (bad) *pins.rdata ^= 0xDEADDEADDEADDEADull;
        *pins.rresp = bad;
        *pins.rlast = burst.left == 1;
        *pins.rvalid = shown = true;
    }

    // The settled values just before the clock edge.
    void sample(uint64_t now) {
        stable.check(*pins.arvalid, *pins.arready, address(), port, "AR");
        if (*pins.arvalid && *pins.arready) {
            accept(address(), bursts.size(), "AR");
            memory.outside_reads += !holds(*pins.araddr);
            bursts.push_back({*pins.araddr, *pins.arlen + 1u, ready_at(now)});
            traffic.bursts++;
        }
        if (!shown || !*pins.rready) return;
        shown = false;
        traffic.bytes += BEAT;
        Burst& burst = bursts.front();
        burst.addr += BEAT;
        if (--burst.left == 0) bursts.pop_front();
    }

    bool idle() const { return bursts.empty(); }
};

// Data become visible to reads with the response, so that a read that does not wait for it is noticed.
class WriteSide : PortSide {
    struct Burst {
        uint32_t addr;
        unsigned beats, taken;
        uint64_t ready;
        std::array<WriteBeat, 256> data;
    };
    WritePins pins;
    std::deque<Burst> bursts;
    Stable<Address> stable_address;
    Stable<WriteBeat> stable_data;
    size_t filling = 0;  // the burst that takes data now
    bool shown = false;

    Address address() const { return {*pins.awaddr, *pins.awlen, *pins.awsize, *pins.awburst}; }

    void commit(const Burst& burst) {
        for (unsigned i = 0; i < burst.beats; i++) {
            uint8_t* to = at(burst.addr + i * BEAT);
            for (unsigned byte = 0; byte < BEAT; byte++)
                if (burst.data[i].strobe >> byte & 1) to[byte] = uint8_t(burst.data[i].data >> 8 * byte);
        }
    }

    void respond(uint64_t now) {
        if (shown) return;
        *pins.bvalid = 0;
        if (silent(now) || filling == 0 || bursts.front().ready > now || pauses()) return;
        const uint8_t bad = response(bursts.front().addr);
        if (!bad) commit(bursts.front());
        *pins.bresp = bad;
        *pins.bvalid = shown = true;
    }

    void take(uint64_t now) {
        const WriteBeat beat{*pins.wdata, *pins.wstrb, *pins.wlast};
        Burst& burst = bursts[filling];
        burst.data[burst.taken++] = beat;
        traffic.bytes += BEAT;
        const bool end = burst.taken == burst.beats;
        if (end != bool(beat.last)) violation("port %u: WLAST is %u at beat %u of %u", port, beat.last, burst.taken, burst.beats);
        if (!end) return;
        burst.ready = ready_at(now);
        filling++;
    }

  public:
    using PortSide::traffic;

    WriteSide(const WritePins& p, Memory& m, Budget& b, unsigned number)
        : PortSide(m, b, number, 2 * number + 1), pins(p) {}

    void drive(uint64_t now) {
        const bool quiet = silent(now);
        *pins.awready = !pauses() && !quiet;
        *pins.wready = !quiet && *pins.wvalid && filling < bursts.size() && !pauses() && budget.take();
        respond(now);
    }

    void sample(uint64_t now) {
        stable_address.check(*pins.awvalid, *pins.awready, address(), port, "AW");
        const WriteBeat beat = *pins.wvalid ? WriteBeat{*pins.wdata, *pins.wstrb, *pins.wlast} : WriteBeat{};
        stable_data.check(*pins.wvalid, *pins.wready, beat, port, "W");
        if (*pins.wvalid && *pins.wready) take(now);
        if (shown && *pins.bready) {
            shown = false;
            bursts.pop_front();
            filling--;
        }
        if (*pins.awvalid && *pins.awready) {
            accept(address(), bursts.size(), "AW");
            memory.outside_writes += !holds(*pins.awaddr);
            bursts.push_back({*pins.awaddr, *pins.awlen + 1u, 0, 0, {}});
            traffic.bursts++;
        }
    }

    bool idle() const { return bursts.empty(); }
};
