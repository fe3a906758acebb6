# SPDX-License-Identifier: Apache-2.0
# No pin of the programmable logic is used: memory, control and interrupt all lead to the processing system, whose own IP
# constrains its clock. Reset comes from proc_sys_reset, synchronous to that clock.
