"""A run on a Ray cluster whose head is killed after three parts: ``SOURCE OUT MARK``; prints the error."""

import sys
import time
from pathlib import Path

from engine_toys import ToyModel
from executor_toys import Fragile
from ray.cluster_utils import Cluster

from genolm.engine.events import PartDone
from genolm.engine.executors.ray_actors import RayActors
from genolm.engine.run import Options, run
from genolm.errors import RunError

if __name__ == "__main__":
    source, out, mark = map(Path, sys.argv[1:])
    memory = {"object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **memory})
    cluster.add_node(num_cpus=1, **memory)
    lost = []

    def kill(event):
        if isinstance(event, PartDone) and event.number == 2:
            cluster.head_node.kill_gcs_server(check_alive=False)
            lost.append(time.monotonic())

    try:
        task = Fragile(source, trouble="slow", mark=mark)
        run(task, ToyModel(), out, Options(executor=RayActors(cluster.address)), progress=kill)
    except RunError as error:
        sys.stdout.write(f"after {time.monotonic() - lost[0]:.0f} s: {error}\n")
    finally:
        for node in cluster.list_all_nodes():
            node.kill_all_processes(check_alive=False, allow_graceful=False)
