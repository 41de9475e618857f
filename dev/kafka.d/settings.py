"""What a developer's broker is told, as one pure function from a node's place in the cluster to its settings.

Close to production where a program could notice (three brokers replicate like three brokers, topics are not created by accident,
transactions time out as they do), small where only the machine would.
"""

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Node:
    """A broker and its ports; the first nodes, an odd number of them, are controllers too."""

    id: int
    port: int
    controller_port: int


def controllers(nodes: list[Node]) -> list[Node]:
    """The voters: an even number would survive no more losses than one less."""
    return nodes if len(nodes) % 2 else nodes[:-1]


def _place(node: Node, nodes: list[Node], data: str) -> dict[str, object]:
    votes = node in controllers(nodes)
    listeners = [f"PLAINTEXT://127.0.0.1:{node.port}"]
    if votes:
        listeners.append(f"CONTROLLER://127.0.0.1:{node.controller_port}")
    return {
        "process.roles": "broker,controller" if votes else "broker",
        "node.id": node.id,
        "listeners": ",".join(listeners),
        "advertised.listeners": listeners[0],
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": ",".join(f"{n.id}@127.0.0.1:{n.controller_port}" for n in controllers(nodes)),
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
    }


def _replication(brokers: int) -> dict[str, object]:
    copies = min(brokers, 3)
    in_sync = 2 if copies == 3 else 1
    return {
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def _behaviour(partitions: int) -> dict[str, object]:
    return {
        "num.partitions": partitions,
        "auto.create.topics.enable": "false",
        "delete.topic.enable": "true",
        "message.max.bytes": 4 * MEBIBYTE,
        "replica.fetch.max.bytes": 4 * MEBIBYTE,
        # Tests write event times of any year; a topic that must forget says so itself.
        "log.retention.ms": -1,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1_000,
        # A broker that is killed is noticed in 6 s instead of 9; less would take a loaded machine for a dead broker.
        "broker.session.timeout.ms": 6_000,
        "broker.heartbeat.interval.ms": 1_000,
        "controlled.shutdown.enable": "true",
    }


def _size() -> dict[str, object]:
    return {
        "offsets.topic.num.partitions": 5,
        "transaction.state.log.num.partitions": 5,
        "share.coordinator.state.topic.num.partitions": 5,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "num.recovery.threads.per.data.dir": 1,
        "background.threads": 2,
        "log.segment.bytes": 64 * MEBIBYTE,
        "log.index.size.max.bytes": MEBIBYTE,
        # The default takes 128 MiB of the heap at the start.
        "log.cleaner.dedupe.buffer.size": 16 * MEBIBYTE,
        "metadata.log.segment.bytes": 16 * MEBIBYTE,
    }


def of(node: Node, nodes: list[Node], partitions: int, data: str, extra: dict[str, str]) -> str:
    """The text of a node's `server.properties`; `extra` has the last word."""
    chosen = {**_place(node, nodes, data), **_replication(len(nodes)), **_behaviour(partitions), **_size(), **extra}
    return "".join(f"{key}={value}\n" for key, value in chosen.items())
