// SPDX-License-Identifier: Apache-2.0
// A small AXI master with the accelerator's ports, good or bad on demand, to test the memory model against.
//
// It reads COUNT bursts from PROGRAM on port 0 (with MODE bit 0 the same again on port 1), and writes what port 0 read
// to BASE. Registers lie where the accelerator's do; MODE is at WATCHDOG:
//   bit 0       read on port 1 as well
//   bit 1       do not write
//   bit 2       do not read on port 0; write a pattern
//   bits 15:8   beats of a burst - 1
//   bits 19:16  what to do wrong: 1 arvalid falls, 2 araddr changes, 3 wlast early, 4 ARSIZE, 5 wdata changes, 6 FIXED,
//               7 retire an instruction that was not started
//   bits 27:20  bursts outstanding
module codesign_accelerator (
    input clk, input rst, output irq,
    input [11:0] s_axi_awaddr, input s_axi_awvalid, output s_axi_awready,
    input [31:0] s_axi_wdata, input [3:0] s_axi_wstrb, input s_axi_wvalid, output s_axi_wready,
    output [1:0] s_axi_bresp, output reg s_axi_bvalid, input s_axi_bready,
    input [11:0] s_axi_araddr, input s_axi_arvalid, output s_axi_arready,
    output reg [31:0] s_axi_rdata, output [1:0] s_axi_rresp, output reg s_axi_rvalid, input s_axi_rready,

    output reg m_axi_0_arvalid, input m_axi_0_arready, output reg [31:0] m_axi_0_araddr,
    output [7:0] m_axi_0_arlen, output [2:0] m_axi_0_arsize, output [1:0] m_axi_0_arburst,
    input m_axi_0_rvalid, output m_axi_0_rready, input [63:0] m_axi_0_rdata, input [1:0] m_axi_0_rresp, input m_axi_0_rlast,
    output reg m_axi_0_awvalid, input m_axi_0_awready, output reg [31:0] m_axi_0_awaddr,
    output [7:0] m_axi_0_awlen, output [2:0] m_axi_0_awsize, output [1:0] m_axi_0_awburst,
    output m_axi_0_wvalid, input m_axi_0_wready, output [63:0] m_axi_0_wdata, output [7:0] m_axi_0_wstrb, output m_axi_0_wlast,
    input m_axi_0_bvalid, output m_axi_0_bready, input [1:0] m_axi_0_bresp,
    output reg m_axi_1_arvalid, input m_axi_1_arready, output reg [31:0] m_axi_1_araddr,
    output [7:0] m_axi_1_arlen, output [2:0] m_axi_1_arsize, output [1:0] m_axi_1_arburst,
    input m_axi_1_rvalid, output m_axi_1_rready, input [63:0] m_axi_1_rdata, input [1:0] m_axi_1_rresp, input m_axi_1_rlast,

    output mon_write_0_valid, output [15:0] mon_write_0_addr, output [31:0] mon_write_0_mask, output [255:0] mon_write_0_data,
    output mon_start_0_valid, output [15:0] mon_start_0_index,
    output mon_retire_0_valid, output [15:0] mon_retire_0_index, output [2:0] mon_activity_0
);
    reg [31:0] program_, count, base, mode, cycles;
    reg running, done, fault, irq_enable;

    // Registers
    wire write = s_axi_awvalid && s_axi_wvalid && !s_axi_bvalid;
    wire start = write && s_axi_awaddr == 12'h00 && s_axi_wdata[0];
    assign {s_axi_awready, s_axi_wready, s_axi_bresp, s_axi_rresp} = {write, write, 4'b0};
    assign s_axi_arready = !s_axi_rvalid;
    assign irq = irq_enable && (done || fault);
    always @(posedge clk) begin
        if (s_axi_bready) s_axi_bvalid <= 0;
        if (write) begin
            s_axi_bvalid <= 1;
            case (s_axi_awaddr)
                12'h0c: program_ <= s_axi_wdata;
                12'h10: count <= s_axi_wdata;
                12'h14: base <= s_axi_wdata;
                12'h18: mode <= s_axi_wdata;
                12'h28: irq_enable <= s_axi_wdata[0];
                default: ;
            endcase
        end
        if (s_axi_rready) s_axi_rvalid <= 0;
        if (s_axi_arvalid && s_axi_arready) begin
            s_axi_rvalid <= 1;
            case (s_axi_araddr)
                12'h04: s_axi_rdata <= {29'b0, fault, done, running};
                12'h0c: s_axi_rdata <= program_;
                12'h1c: s_axi_rdata <= cycles;
                default: s_axi_rdata <= 32'hC0DE5160;
            endcase
        end
        if (rst) {s_axi_bvalid, s_axi_rvalid, irq_enable} <= 0;
    end

    wire two = mode[0], reads = !mode[2], writes = !mode[1];
    wire [7:0] len = mode[15:8], most = mode[27:20];
    wire [3:0] wrong = mode[19:16];
    wire [31:0] step = {21'b0, len + 8'd1, 3'b0};
    assign {m_axi_0_arlen, m_axi_0_arsize, m_axi_0_arburst} = {len, wrong == 4 ? 3'd2 : 3'd3, wrong == 6 ? 2'd0 : 2'd1};
    assign {m_axi_1_arlen, m_axi_1_arsize, m_axi_1_arburst} = {len, 3'd3, 2'd1};
    assign {m_axi_0_awlen, m_axi_0_awsize, m_axi_0_awburst} = {len, 3'd3, 2'd1};

    // Port 0 and 1 read; the buffer takes what is under way
    reg [63:0] fifo[0:4095];
    reg [12:0] head, tail;
    reg [31:0] asked0, asked1, got0, got1, sent, answered, addressed;
    reg [7:0] beat;
    wire take0 = m_axi_0_rvalid, take1 = m_axi_1_rvalid;
    assign {m_axi_0_rready, m_axi_1_rready, m_axi_0_bready} = 3'b111;
    wire accepted0 = m_axi_0_arvalid && m_axi_0_arready, accepted1 = m_axi_1_arvalid && m_axi_1_arready;
    always @(posedge clk) begin
        if (accepted0 || (wrong == 1 && m_axi_0_arvalid)) m_axi_0_arvalid <= 0;
        if (running && reads && asked0 != count && asked0 - got0 < {24'b0, most} && (!m_axi_0_arvalid || accepted0)) begin
            m_axi_0_arvalid <= 1;
            m_axi_0_araddr <= program_ + asked0 * step;
            asked0 <= asked0 + 1;
        end else if (wrong == 2 && m_axi_0_arvalid && !m_axi_0_arready) m_axi_0_araddr <= m_axi_0_araddr + 128;
        if (accepted1) m_axi_1_arvalid <= 0;
        if (running && two && asked1 != count && asked1 - got1 < {24'b0, most} && (!m_axi_1_arvalid || accepted1)) begin
            m_axi_1_arvalid <= 1;
            m_axi_1_araddr <= program_ + asked1 * step;
            asked1 <= asked1 + 1;
        end
        if (take0) begin
            fifo[tail[11:0]] <= m_axi_0_rdata;
            tail <= tail + 1;
            got0 <= got0 + {31'b0, m_axi_0_rlast};
        end
        if (take1) got1 <= got1 + {31'b0, m_axi_1_rlast};

        // Write
        if (m_axi_0_awready) m_axi_0_awvalid <= 0;
        if (running && writes && addressed != (reads ? got0 : count) && addressed - answered < {24'b0, most}
            && (!m_axi_0_awvalid || m_axi_0_awready)) begin
            m_axi_0_awvalid <= 1;
            m_axi_0_awaddr <= base + addressed * step;
            addressed <= addressed + 1;
        end
        if (m_axi_0_wvalid && m_axi_0_wready) begin
            head <= head + 1;
            beat <= beat == len ? 0 : beat + 1;
            if (beat == len) sent <= sent + 1;
        end
        if (m_axi_0_bvalid) answered <= answered + 1;

        if (running) cycles <= cycles + 1;
        if (running && (!reads || got0 == count) && (!two || got1 == count) && (!writes || answered == count)) begin
            running <= 0;
            done <= 1;
        end
        if ((take0 && m_axi_0_rresp != 0) || (m_axi_0_bvalid && m_axi_0_bresp != 0)) fault <= 1;
        if (start || rst) begin
            {head, tail, asked0, asked1, got0, got1, sent, answered, addressed, beat} <= 0;
            {m_axi_0_arvalid, m_axi_1_arvalid, m_axi_0_awvalid} <= 0;
            {done, fault, cycles} <= 0;
            running <= start;
        end
    end
    assign m_axi_0_wvalid = sent != addressed;
    assign m_axi_0_wdata = (reads ? fifo[head[11:0]] : {32'hA5A5A5A5, sent}) ^ (wrong == 5 ? {32'b0, cycles} : 64'b0);
    assign m_axi_0_wstrb = 8'hff;
    assign m_axi_0_wlast = wrong == 3 ? beat == 2 : beat == len;

    // Monitors: every beat read is a "scratchpad write", every burst an "instruction"
    assign mon_write_0_valid = take0;
    assign mon_write_0_addr = {3'b0, tail};
    assign mon_write_0_mask = 32'h0000ffff;
    assign mon_write_0_data = {4{m_axi_0_rdata}};
    assign mon_start_0_valid = accepted0;
    assign mon_retire_0_valid = take0 && m_axi_0_rlast;
    assign mon_retire_0_index = got0[15:0] + (wrong == 7 ? 16'd3 : 16'd0);
    assign mon_activity_0 = take0 ? 3'd0 : got0 == count ? 3'd5 : 3'd3;
    reg [15:0] starts;
    assign mon_start_0_index = starts;
    always @(posedge clk) starts <= (start || rst) ? 0 : starts + {15'b0, accepted0};
endmodule
