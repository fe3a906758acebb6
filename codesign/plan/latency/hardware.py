# SPDX-License-Identifier: Apache-2.0
"""What the latency model knows of the RTL: every constant is named after the hardware it describes.

A change of the RTL is a change of one constant here. Those that the RTL names as well are compared with it by a test.
"""

from __future__ import annotations

# -- AXI, hw/axi*.py, hw/bursts.py
MAX_BEATS = 16  #: beats of a burst; none crosses a boundary of so many beats
MAX_OUTSTANDING = 8  #: bursts a port and direction
ADDRESS_CYCLES = 5  #: splitter, port register, memory: from a command to its burst's handshake and back, latency aside

# -- control, hw/dispatcher.py, hw/queue.py, hw/tokens.py, hw/status.py
START_CYCLES = 2  #: from the start write to the first program burst, beyond `ADDRESS_CYCLES`
DISPATCH_CYCLES = 2  #: from an instruction's last program beat to the head of its engine's queue
TOKEN_CYCLES = 1  #: from a retirement to the token gate that waits for it
DONE_CYCLES = 4  #: from the last retirement to the done status
PROGRAM_BUFFER = 4 * MAX_BEATS  #: program beats read ahead

# -- parameters, hw/param_fetch.py
PARAM_REQUESTS = 16  #: requests that may wait
PARAMS_AHEAD_OF_TOKENS = True  #: an engine loads the parameters of its queue's head before its tokens are there

# -- scratchpad, hw/scratchpad.py
READ_LATENCY = 4  #: from a read's handshake to its word

# -- pointwise engine, hw/pointwise*.py, hw/array.py, hw/requantise.py
ARRAY_LATENCY = 8  #: from a word to its sums
REQUANTISE_LATENCY = 5
POINTWISE_DRAIN = READ_LATENCY + ARRAY_LATENCY + 1 + REQUANTISE_LATENCY + 2  #: last issue to retirement
POINTWISE_PROMOTE = READ_LATENCY + ARRAY_LATENCY + 4  #: first issue to the requantisation shadow free again
WEIGHTS_PER_BEAT = 16  #: 4-bit weights; 8-bit: half as many
ISSUE_CYCLES = 3  #: from an accepted instruction to its first pixel, weights aside
RESULTS = 32  #: results between issue and write port: what hides a write that waits for its bank

# -- depthwise units, hw/depthwise*.py, hw/gather.py, hw/tap_walker.py
FRONT_CYCLES = 2  #: from an accepted instruction to its jobs
BETWEEN_JOBS = 3  #: from an instruction's last tap to the next one's first
MAC_TAIL = 33  #: from the last tap's address to the retirement: read, lanes, serialiser, requantiser, writer
PICK_TAIL = 20  #: the same for MAX and WINDOW
OFFSET_CYCLES = 12  #: from an accepted instruction to its first offset word
READS_WAITING = 3  #: a unit's reads that wait for their bank: its register, and `hw.scratchpad.RequestBuffer`
TAPS_AHEAD = 16  #: taps requested and not yet consumed
REUSING_KERNEL = 3  #: up to this side, a plain kernel does not read again what the pixel before read; 0: none
WINDOW_GROUP = 3  #: taps of a WINDOW's row that come in one cycle when they lie in one word
GATHER_CYCLES = 5  #: from a tap's grant to the lanes
WIDE_BEAT_CYCLES = 2  #: a beat of 8-bit weights is written in two cycles
PARAM_BUFFERS = 2  #: ping-pong

# -- load and store, hw/load.py, hw/store.py
LOAD_TAIL = 2  #: from the last beat to the retirement
STORE_FILL = 8  #: from an accepted store to its first beat
STORE_TAIL = 5  #: from the last beat to the retirement, latency aside
STORE_BUFFER = 8  #: words between scratchpad and write port
