// SPDX-License-Identifier: Apache-2.0
// What the run leaves behind: scratchpad writes per writer, and start, retirement and activity per instruction.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

constexpr unsigned COUNTERS = 6;  // codesign.program.registers.Counter
constexpr uint32_t NEVER = 0xFFFFFFFF;

// Records of 12 + lanes bytes: cycle, mask, address, 2 unused, data. `sim.device.SimulatedDevice.writes` names them.
class WriteLog {
    std::vector<uint8_t> bytes;
    unsigned lanes = 0;

  public:
    void setup(unsigned lane_count) { lanes = lane_count; }
    void add(uint32_t cycle, uint16_t addr, uint32_t mask, const void* data) {
        const size_t at = bytes.size(), size = 12 + lanes;
        if (bytes.capacity() < at + size) bytes.reserve(2 * bytes.capacity() + 4096 * size);
        bytes.resize(at + size);
        uint8_t* to = &bytes[at];
        std::memcpy(to, &cycle, 4);
        std::memcpy(to + 4, &mask, 4);
        std::memcpy(to + 8, &addr, 2);
        std::memcpy(to + 12, data, lanes);
    }
    const uint8_t* data() const { return bytes.data(); }
    uint64_t count() const { return bytes.size() / (12 + lanes); }
    void clear() { bytes.clear(); }
};

struct Event {
    uint32_t start, retire, index;
    uint32_t activity[COUNTERS];
};

// One engine. A cycle counts for the instruction started last; waiting for tokens or for work counts for the next one.
class EventLog {
    std::vector<Event> events;
    size_t retired = 0;
    bool abandoned = false;
    uint32_t before[2] = {};  // token and idle cycles before the next start

  public:
    static constexpr unsigned TOKEN = 1, IDLE = 5;

    void start(uint32_t cycle, uint16_t index) {
        Event event{cycle, NEVER, index, {}};
        event.activity[TOKEN] = before[0];
        event.activity[IDLE] = before[1];
        before[0] = before[1] = 0;
        abandoned = false;
        events.push_back(event);
    }
    // False when what retires is not the oldest instruction started.
    bool retire(uint32_t cycle, uint16_t index) {
        if (abandoned) return true;
        if (retired >= events.size() || events[retired].index != index) return false;
        events[retired++].retire = cycle;
        return true;
    }
    // A reset is coming: what has not retired is given up, though a last answer may still arrive.
    void abandon() {
        retired = events.size();
        abandoned = true;
    }
    void activity(unsigned shown) {
        if (shown == TOKEN || shown == IDLE || events.empty())
            before[shown != TOKEN]++;
        else if (shown < COUNTERS)
            events.back().activity[shown]++;
    }
    const Event* data() const { return events.data(); }
    uint64_t count() const { return events.size(); }
    void clear() { *this = EventLog(); }
};
