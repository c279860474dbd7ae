"""`bench write`: one durable node on one core, TLS and audit on, beside one member of etcd.

Owns the course of this benchmark.
"""

from contextlib import ExitStack

from server.bench import node
from server.bench.certificate import write_certificate
from server.bench.etcd import etcd
from server.bench.figure import Report, of_rounds
from server.bench.load import Load, Subject, rates, usages
from server.bench.machine import choose_cores, limited_by
from server.bench.place import workplace
from server.bench.read import record, single_node_conditions
from server.bench.settings import PeerUnavailable, Settings
from server.bench.workload import etcd_put, kv_write


def write(settings: Settings) -> Report:
    """Measure durable KV version 2 writes.

    Raises:
        BenchError: the node or the load generator failed.
    """
    cores = choose_cores()
    with workplace(settings) as directory, ExitStack() as stack:
        certificate = write_certificate(directory)
        conditions = single_node_conditions(settings, directory, cores)
        server = stack.enter_context(node.started(directory / "node", certificate, cores))
        filled = node.fill(server, settings)
        subjects = [
            Subject(
                name="holdfast",
                target=server.target,
                workload=kv_write(filled.token, settings.keys),
                pids=[server.process.pid],
            )
        ]
        against = ""
        try:
            peer = stack.enter_context(
                etcd(1, directory, certificate=certificate, core=cores.server)
            )
        except PeerUnavailable as error:
            settings.say(f"no peer: {error}")
        else:
            against = f"{peer.name}, JSON gateway, TLS, no audit"
            puts = etcd_put(settings.keys)
            subjects.append(
                Subject(name=peer.name, target=peer.leader, workload=puts, pids=peer.pids)
            )
        load = Load(settings, directory, cores)
        ours, *peers = load.alternate(subjects)
        record(filled.ledger, ours)
        count = filled.ledger.count()
        figure = of_rounds(
            "KV v2 write",
            rates(ours),
            "requests/s",
            (*conditions, *load.conditions, limited_by(usages(ours), cores, durable=True)),
            theirs=[rate for rounds in peers for rate in rates(rounds)],
            against=against,
        )
    return Report([figure, count.figure(conditions)], count.problems())
