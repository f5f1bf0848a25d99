"""Drives a Millrace kernel with jupyter_client: drive_kernel.py RESULT FOLDER STEPS, where STEPS is a list in JSON.

Each step writes a line of JSON into RESULT:
  {"run": CODE}                  runs a cell to its end: reply, outputs
  {"run": CODE, "until": N}      runs a cell until N outputs came, then interrupts it
  {"run": CODE, "until": N, "signal": true}   the same, interrupted by SIGINT
  {"complete": CODE}             asks for completions at the end of the text
  {"inspect": CODE}              asks for help at the end of the text
  {"isComplete": CODE}
  {"run": CODE, "until": N, "during": STEP}   the same, and asks for something before that: its answer is in `during`
  {"run": CODE, "until": N, "kill": true}     kills the kernel with SIGKILL then: the processes below it before and after
  {"run": CODE, "until": N, "leave": true}    leaves the cell running
The last line says how many processes the kernel has had at the end, and how many are left after its shutdown.
"""

import json
import os
import signal
import sys
import time

from jupyter_client.manager import KernelManager


def children_of(pid):
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as stat:
                parent = int(stat.read().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found += [int(entry), *children_of(int(entry))]
    return found


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def left_of(pids):
    deadline = time.monotonic() + 30
    while any(is_alive(one) for one in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [one for one in pids if is_alive(one)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return len(left)


def outputs_of(client, message, most):
    """The outputs of a request until it is idle, or until `most` came; updates replace what they update."""
    outputs, updates = [], 0
    while most is None or len(outputs) + updates < most:
        answer = client.get_iopub_msg(timeout=60)
        kind, content = answer["msg_type"], answer["content"]
        if answer["parent_header"].get("msg_id") != message:
            continue
        if kind == "status" and content["execution_state"] == "idle":
            break
        if kind == "update_display_data":
            updates += 1
            for at, output in enumerate(outputs):
                if output["content"].get("transient") == content["transient"]:
                    outputs[at] = {"type": "display_data", "content": content}
        elif kind in ("display_data", "stream", "error"):
            outputs.append({"type": kind, "content": content})
    return outputs, updates


def reply_of(client, message, channel="shell"):
    while True:
        get = client.get_shell_msg if channel == "shell" else client.get_control_msg
        answer = get(timeout=60)
        if answer["parent_header"].get("msg_id") == message:
            return answer["content"]


def run(manager, client, step):
    message = client.execute(step["run"])
    outputs, updates = outputs_of(client, message, step.get("until"))
    if step.get("kill"):
        pid = manager.provisioner.pid
        below = children_of(pid)
        os.kill(pid, signal.SIGKILL)
        return {"below": len(below), "left": left_of(below)}
    if step.get("leave"):
        return {"outputs": outputs}
    during = ask(client, step["during"]) if "during" in step else None
    if "until" in step:
        if step.get("signal"):
            os.kill(manager.provisioner.pid, signal.SIGINT)
        else:
            manager.interrupt_kernel()
        rest, more = outputs_of(client, message, None)
        outputs, updates = outputs + rest, updates + more
    return {"reply": reply_of(client, message), "outputs": outputs, "updates": updates, "during": during}


def ask(client, step):
    if "complete" in step:
        return reply_of(client, client.complete(step["complete"]))
    if "inspect" in step:
        return reply_of(client, client.inspect(step["inspect"]))
    return reply_of(client, client.is_complete(step["isComplete"]))


result, folder, steps = sys.argv[1:]
manager = KernelManager(kernel_name="millrace")
manager.start_kernel(cwd=folder)
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
with open(result, "w") as out:
    for step in json.loads(steps):
        out.write(json.dumps(run(manager, client, step) if "run" in step else ask(client, step)) + "\n")
    client.stop_channels()
    pids = [manager.provisioner.pid, *children_of(manager.provisioner.pid)] if manager.is_alive() else []
    manager.shutdown_kernel()
    out.write(json.dumps({"before": len(pids), "left": left_of(pids)}) + "\n")
