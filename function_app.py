"""The index of Hourglass: what starts what.

| Trigger                        | Function              | Use case                                    | Part   |
|--------------------------------|-----------------------|---------------------------------------------|--------|
| queue `activation-requests`    | `activation_requests` | `activation_handler/take_request.py`        | worker |
| queue `provisioning`           | `provisioning`        | `activation_handler/give.py`                | worker |
| queue `approvals`              | `approvals`           | `approval_queue/ask_approvers.py`           | worker |
| POST `api/cards/decide`        | `cards_decide`        | `approval_queue/answer_card.py`             | web    |
| GET `about`                    | `about`               | (a page without data)                       | web    |
| every minute                   | `sweep_timer`         | `expiry_timer/sweep.py`                     | worker |
| every hour                     | `reconcile_timer`     | `expiry_timer/reconcile.py`                 | worker |
| queue `ticks`                  | `ticks`               | `expiry_timer/sweep.py`                     | worker |
| queue `expirations`            | `expirations`         | `expiry_timer/end_due.py`                   | worker |
| POST `api/sweep`               | `call_for_sweep`      | `expiry_timer/tick.py`                      | web    |
| GET `api/health/live`          | `health_live`         | `expiry_timer/health.py`                    | web    |
| GET `api/health/ready`         | `health_ready`        | `expiry_timer/health.py`                    | web    |
| queue `notifications`          | `notifications`       | `notifier/notify.py`                        | worker |

`PART` says which part this app is: `web` answers HTTP and holds no right to change the directory, `worker` has the
queues and the timer and no inbound, `all` is both (a laptop).
"""

import azure.functions as func

import activation_handler.blueprint
import approval_queue.blueprint
import expiry_timer.blueprint
import notifier.blueprint
from access.adapters import log, wiring

WORKER = (
    activation_handler.blueprint.worker,
    approval_queue.blueprint.worker,
    expiry_timer.blueprint.worker,
    notifier.blueprint.worker,
)
WEB = (approval_queue.blueprint.web, expiry_timer.blueprint.web)

log.install()
app = func.FunctionApp()
for blueprint in {"all": (*WORKER, *WEB), "web": WEB, "worker": WORKER}[wiring.part()]:
    app.register_functions(blueprint)
