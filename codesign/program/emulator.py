# SPDX-License-Identifier: Apache-2.0
"""Instruction-set model: executes a program on NumPy memories, in any order the tokens allow.

It decodes the encoded bytes as the RTL does, so it checks planner and encoding without RTL; with a random order it
also checks that the tokens alone make the result independent of timing. The arithmetic is `codesign.numeric`'s.
"""

from __future__ import annotations

import random

import numpy as np

from codesign.numeric import requantise, rne
from codesign.program import isa
from codesign.program.program import Program


class Emulator:
    """Runs ``program`` on ``memory`` (uint8 DRAM of `dram_bytes`, content and input already in place)."""

    def __init__(self, program: Program, memory: np.ndarray):
        self._config = program.config
        self._memory = memory
        self._count = len(program.instructions)
        self.spad = np.zeros((1 << 16, self._config.lanes), np.int8)
        self._acc = np.zeros((self._config.array_out, self._config.acc_depth), np.int64)

    def run(self, seed: int | None = None) -> None:
        """Execute everything: in program order, or in a random order that respects queues and tokens."""
        queues: dict[int, list[dict]] = {}
        for index in range(self._count):
            raw = self._memory[index * isa.INSTRUCTION_BYTES : (index + 1) * isa.INSTRUCTION_BYTES].tobytes()
            opcode, values = isa.decode(raw)
            if opcode != isa.Opcode.HALT:
                queues.setdefault(values["engine"], []).append(values | {"index": index})
        retired = [0] * isa.MAX_ENGINES
        rng = random.Random(seed)
        while any(queues.values()):
            ready = [e for e, q in queues.items() if q and self._ready(q[0], retired)]
            assert ready, "deadlock"
            heads = [queues[e][0] for e in ready]
            engine = min(heads, key=lambda v: v["index"])["engine"] if seed is None else rng.choice(ready)
            self.execute(queues[engine].pop(0))
            retired[engine] += 1

    @staticmethod
    def _ready(values: dict, retired: list[int]) -> bool:
        return all(
            (done - values[f"wait{e}"]) % (1 << isa.TOKEN_BITS) < 1 << (isa.TOKEN_BITS - 1)
            for e, done in enumerate(retired)
        )

    def execute(self, v: dict) -> None:
        """One instruction, given as decoded field values."""
        match isa.Opcode(v["opcode"]):
            case isa.Opcode.LOAD | isa.Opcode.STORE:
                self._transfer(v)
            case isa.Opcode.POINTWISE:
                self._pointwise(v)
            case isa.Opcode.DEPTHWISE:
                self._depthwise(v)

    def _transfer(self, v: dict) -> None:
        lanes, size = self._config.lanes, v["row_words"]
        for row in range(v["rows"]):
            at = v["dram_addr"] + row * v["dram_stride"]
            dram = self._memory[at : at + size * lanes].view(np.int8).reshape(size, lanes)
            word = v["spad_addr"] + row * v["spad_stride"]
            if v["opcode"] == isa.Opcode.LOAD:
                self.spad[word : word + size] = dram
            else:
                kept = [lane for lane in range(lanes) if v["lane_mask"] >> lane & 1]
                dram[:, kept] = self.spad[word : word + size, kept]

    def _read(self, v: dict, y: np.ndarray, x: np.ndarray, src: int, pixels: int = 1) -> np.ndarray:
        """Words at logical coordinates, ``z_in`` outside; ``pixels`` per word for packed images."""
        inside = (y >= 0) & (y < v["in_h"]) & (x >= 0) & (x < v["in_w"])
        row = y >> v["up"]
        if v.get("ring"):
            row = row & ((1 << v["ring"]) - 1)
        address = src + row * v["pitch"] + (x >> v["up"]) // pixels
        words = self.spad[np.where(inside, address, 0) % (1 << 16)]
        return np.where(inside[..., None], words, np.int8(v["z_in"]))

    def _grid(self, v: dict) -> tuple[np.ndarray, np.ndarray]:
        rows, cols = np.mgrid[0 : v["rows"], 0 : v["cols"]]
        return v["y0"] + rows * v["stride"], v["x0"] + cols * v["stride"]

    def _write(self, v: dict, words: np.ndarray, lanes: np.ndarray) -> None:
        rows, cols = np.mgrid[0 : v["rows"], 0 : v["cols"]]
        address = (v["dst"] + rows * v["dst_pitch"] + cols) % (1 << 16)
        self.spad[address[..., None], lanes] = words

    def _params(self, v: dict) -> np.ndarray:
        return self._memory[v["param_addr"] : v["param_addr"] + 8 * v["param_beats"]]

    def _requant(self, v: dict, raw: np.ndarray, acc: np.ndarray) -> np.ndarray:
        """(C, ...) accumulators to codes; ``raw`` is the two beats per channel."""
        beats = raw.view("<u8").reshape(-1, 2)
        head, bias = beats[:, 0].astype(np.int64), (beats[:, 1] << np.uint64(16)).view(np.int64) >> 16
        return requantise(acc, head & 0xFFFF, bias, (head >> 16) & 31, v["z_out"], v["lo"], v["hi"])

    def _weights(self, raw: np.ndarray, w8: int) -> np.ndarray:
        if w8:
            return raw.view(np.int8).astype(np.int64)
        nibbles = np.stack([raw & 0xF, raw >> 4], axis=1).reshape(-1).astype(np.int64)
        return (nibbles ^ 8) - 8

    def _pointwise(self, v: dict) -> None:
        c = self._config
        raw = self._params(v)
        head = 16 * c.array_out if v["last"] else 0
        weights = self._weights(raw[head:], v["w8"]).reshape(
            v["planes"], v["kh"], v["kw"], c.array_out, c.lanes
        )
        y, x = self._grid(v)
        acc = np.zeros((c.array_out, v["rows"] * v["cols"]), np.int64)
        region = slice(v["acc_base"], v["acc_base"] + acc.shape[1])
        for plane in range(v["planes"]):
            for ky in range(v["kh"]):
                for kx in range(v["kw"]):
                    words = self._read(v, y + ky, x + kx, v["src"] + plane * v["plane_stride"])
                    flat = words.reshape(-1, c.lanes).astype(np.float64)
                    acc += (weights[plane, ky, kx].astype(np.float64) @ flat.T).astype(np.int64)
        if not v["first"]:
            acc += self._acc[:, region]
        self._acc[:, region] = acc
        if v["last"]:
            used = np.array([i for i in range(c.array_out) if v["dst_mask"] >> i & 1])
            codes = self._requant(v, raw[:head], acc)
            lanes = v["dst_group"] * c.array_out + used
            self._write(v, codes[used].T.reshape(v["rows"], v["cols"], -1), lanes)

    def _depthwise(self, v: dict) -> None:
        c = self._config
        taps = [(ky, kx) for ky in range(v["kh"]) for kx in range(v["kw"])]
        mode = isa.Mode(v["mode"])
        lanes = np.arange(c.lanes)
        gathered = [self._tap(v, t, ky, kx) for t, (ky, kx) in enumerate(taps)]
        if mode == isa.Mode.WINDOW:
            words = np.zeros((v["rows"], v["cols"], c.lanes), np.int8)
            for t, colours in enumerate(gathered):
                words[..., 3 * t : 3 * t + 3] = colours
        elif mode == isa.Mode.MAX:
            words = np.stack(gathered).max(axis=0)
        elif mode == isa.Mode.ADD:
            words = self._add(v, gathered[0])
        else:
            raw = self._params(v)
            weights = self._weights(raw[16 * c.lanes :], v["w8"]).reshape(-1, c.lanes)
            weights = np.broadcast_to(weights, (len(taps), c.lanes))  # one row for all with ``same``
            acc = sum(w.astype(np.int64) * g for w, g in zip(weights, gathered, strict=True))
            words = self._requant(v, raw[: 16 * c.lanes], acc.reshape(-1, c.lanes).T).T.reshape(
                v["rows"], v["cols"], -1
            )
        self._write(v, words, lanes)

    def _add(self, v: dict, first: np.ndarray) -> np.ndarray:
        """Lane i: multiplier and bias of the first addend from lane (i mod depthwise_requant)'s parameters, multiplier of the
        second and the shift from those of the lane depthwise_requant further."""
        c, raw = self._config, self._params(v)
        second = self._tap(v | {name: v[f"off_{name}"] for name in ("src", "pitch", "up")}, 0, 0, 0)
        beats = raw[: 16 * c.lanes].view("<u8").reshape(-1, 2)
        head, bias = beats[:, 0].astype(np.int64), (beats[:, 1] << np.uint64(16)).view(np.int64) >> 16
        lane = np.arange(c.lanes) % c.depthwise_requant
        ones = self._weights(raw[16 * c.lanes :], 0)
        total = bias[lane]
        for word, lanes in ((first, lane), (second, lane + c.depthwise_requant)):
            total = total + word.astype(np.int64) * ones * (head[lanes] & 0xFFFF)
        shifted = rne(total, (head[lane + c.depthwise_requant] >> 16) & 31) + v["z_out"]
        return np.clip(shifted, v["lo"], v["hi"]).astype(np.int8)

    def _tap(self, v: dict, t: int, ky: int, kx: int) -> np.ndarray:
        """Tap t of every pixel: (rows, cols, lanes) codes, or (rows, cols, 3) pixel codes for WINDOW."""
        y, x = self._grid(v)
        rows, cols = np.mgrid[0 : v["rows"], 0 : v["cols"]]
        dy, dx = ky, kx
        if v["deform"]:
            offsets = self.spad[(v["off_src"] + rows * v["off_pitch"] + cols) % (1 << 16)].astype(np.int64)
            if v["deform"] == isa.Deform.SQUARE:
                half_y, half_x = v["kh"] // 2, v["kw"] // 2
                dy = half_y + (ky - half_y) * offsets[..., 0]
                dx = half_x + (kx - half_x) * offsets[..., 0]
            else:
                dy, dx = ky + offsets[..., 2 * t], kx + offsets[..., 2 * t + 1]
        y, x = y + dy, x + dx
        if v["mode"] == isa.Mode.WINDOW:
            return self._pixel(v, y, x)
        words = self._read(v, y, x, v["src"])
        if v["mode"] == isa.Mode.MAX:
            inside = (y >= 0) & (y < v["in_h"]) & (x >= 0) & (x < v["in_w"])
            words = np.where(inside[..., None], words, np.int8(-128))
        return words

    def _pixel(self, v: dict, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        per_word = self._config.lanes // 4
        words = self._read(v, y, x, v["src"], per_word).reshape(*y.shape, per_word, 4)
        place = (x >> v["up"]) % per_word
        picked = np.take_along_axis(words, place[..., None, None], axis=2)[..., 0, :3]
        inside = (y >= 0) & (y < v["in_h"]) & (x >= 0) & (x < v["in_w"])
        return np.where(inside[..., None], (picked.view(np.uint8) ^ 0x80).view(np.int8), np.int8(v["z_in"]))
