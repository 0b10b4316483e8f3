"""What N executors on M nodes pay for their Python, from one node's figures: simulate.py [--svg FILE] <figures.json

Each way of bringing the PEX to the nodes is played once for each size of the cluster: executors fetch what they have to
from one server, in order; on a node the first start unpacks what the others then find, on the node's processors. Prints
a table; with --svg draws the time to the last executor. Nothing is random: the same figures give the same bytes.
"""

import json
import sys

# What is assumed of the cluster, and not measured.
EXECUTORS_OF_A_NODE = 10
CPUS = 16
SERVER = 1.25e9  # bytes a second that one server sends: 10 Gbit/s
NODE = 1.25e9  # and one node receives
HEAD = 64 << 10  # bytes of a file on shared storage that a later start reads
SIZES = (10, 30, 100, 300, 1000, 3000)


def arrivals(executors, size):
    """When each executor has its bytes, all asking at once: the server sends to one after the other."""
    sent = 0.0
    for _ in range(executors):
        sent += size / SERVER
        yield max(sent, size / NODE)


def ready(arrived, first, later, shared):
    """When the last executor of a node is ready. `shared`: one unpacks, and those who come meanwhile wait for it."""
    if not shared:
        slowed = max(1, len(arrived) / CPUS)
        return max(arrived) + first * slowed
    done = min(arrived) + first
    slowed = max(1, (len(arrived) - 1) / CPUS)
    return max(max(at, done) + later * slowed for at in arrived) if len(arrived) > 1 else done


def play(way, executors):
    nodes = -(-executors // EXECUTORS_OF_A_NODE)
    per_node = executors / nodes
    times = list(arrivals(way["fetches"](executors, nodes), way["bytes"]))
    # Executors of a node are spread over the order in which the server sends.
    if way["each"]:
        last = max(ready(times[node::nodes], way["first"], way["later"], way["shared"]) for node in range(nodes))
    else:
        last = max(ready([at] * round(per_node), way["first"], way["later"], way["shared"]) for at in times)
    copies = executors if way["each"] else nodes
    trees = nodes if way["shared"] else executors
    return {
        "seconds": last,
        "network": way["bytes"] * len(times) + way.get("more", 0) * executors,
        "disk": way["staged"] * copies + way["unpacked"] * trees,
        "inodes": way["inodes"] * trees,
        "cpu": way["first"] * trees + way["later"] * (executors - trees),
    }


def ways(figures):
    ours, bare = figures["embedded"], figures["bare"]

    def way(name, of, each, shared, **more):
        described = {"name": name, "each": each, "shared": shared, "bytes": of["file"], "staged": of["file"]}
        described["fetches"] = (lambda executors, nodes: executors) if each else (lambda executors, nodes: nodes)
        described.update(first=of["first"], later=of["later"], unpacked=of["unpacked"], inodes=of["inodes"])
        described.update(more)
        return described

    image = {"bytes": ours["file"] + ours["packed"], "staged": ours["file"], "first": ours["later"]}
    return [
        way("bare, --files, root of the node", bare, True, True),
        way("--files, root in the work directory", ours, True, False),
        way("--files, root of the node", ours, True, True),
        way("shared storage, root of the node", ours, False, True, staged=0, more=HEAD),
        way("image with a seed", ours, False, True, **image),
    ]


def size(count):
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return "%.3g %s" % (count, unit) if count < 1000 else "%.0f %s" % (count, unit)
        count /= 1000


def table(found):
    print("| way | executors | nodes | last one ready | over the network | on disks | inodes | CPU |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, played in found:
        for executors in (10, 100, 1000):
            row = played[executors]
            nodes = -(-executors // EXECUTORS_OF_A_NODE)
            told = (name, executors, nodes, row["seconds"], size(row["network"]), size(row["disk"]), row["inodes"], row["cpu"])
            print("| %s | %d | %d | %.1f s | %s | %s | %d | %.0f s |" % told)


def chart(found, file):
    """Time to the last executor over the number of executors, both logarithmic."""
    from math import log10

    width, height, left, top = 760, 420, 60, 20
    low, high = -0.5, 3.0
    colours = ("#888888", "#d95f02", "#1b9e77", "#7570b3", "#e7298a")

    def x(executors):
        return left + (log10(executors) - 1) / (log10(SIZES[-1]) - 1) * (width - left - 260)

    def y(seconds):
        return top + (high - log10(seconds)) / (high - low) * (height - top - 50)

    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (width, height)]
    out.append('<rect width="%d" height="%d" fill="white"/>' % (width, height))
    for seconds in (1, 10, 100, 1000):
        out.append('<path d="M%d %.1fH%.1f" stroke="#ddd"/>' % (left, y(seconds), x(SIZES[-1])))
        out.append('<text x="%d" y="%.1f" text-anchor="end">%d s</text>' % (left - 6, y(seconds) + 4, seconds))
    for executors in SIZES:
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%d</text>' % (x(executors), height - 28, executors))
    out.append('<text x="%.1f" y="%d" text-anchor="middle">executors, ten a node</text>' % (x(180), height - 8))
    ends = []
    for (name, played), colour in zip(found, colours):
        line = " ".join("%.1f,%.1f" % (x(n), y(played[n]["seconds"])) for n in SIZES)
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (line, colour))
        ends.append([y(played[SIZES[-1]]["seconds"]), name, colour])
    ends.sort()
    for at, (place, name, colour) in enumerate(ends):
        if at and place < ends[at - 1][0] + 15:
            place = ends[at][0] = ends[at - 1][0] + 15
        out.append('<text x="%.1f" y="%.1f" fill="%s">%s</text>' % (x(SIZES[-1]) + 8, place + 4, colour, name))
    with open(file, "w") as svg:
        svg.write("\n".join(out + ["</svg>", ""]))


def main():
    figures = json.load(sys.stdin)
    found = [(way["name"], {executors: play(way, executors) for executors in SIZES}) for way in ways(figures)]
    table(found)
    if sys.argv[1:2] == ["--svg"]:
        chart(found, sys.argv[2])


main()
