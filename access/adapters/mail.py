"""Mail by Graph ``sendMail``, without any retry: a retried call could send a mail twice."""

from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.message import Message
from msgraph.generated.models.recipient import Recipient
from msgraph.generated.users.item.send_mail.send_mail_post_request_body import SendMailPostRequestBody

from access.adapters.graph import Graph, GraphFault
from access.errors import DirectoryRefused
from access.ports import Mail

_REFUSED = {400, 404, 413}
"""403 is not among them: the right to send is missing, which somebody will mend; the mail waits for it."""


class GraphMailer:
    """Implements ``ports.Mailer``: from one mailbox, to one address at a time."""

    def __init__(self, graph: Graph, sender: str) -> None:
        self._graph = graph
        self._sender = sender

    async def send(self, mail: Mail, *, deadline: float) -> None:
        """Hand one mail over to Exchange."""
        message = Message(
            subject=mail.subject,
            body=ItemBody(content_type=BodyType.Html, content=mail.html),
            to_recipients=[Recipient(email_address=EmailAddress(address=mail.to))],
        )
        body = SendMailPostRequestBody(message=message, save_to_sent_items=False)
        builder = self._graph.service.users.by_user_id(self._sender).send_mail
        try:
            await self._graph.act(builder.to_post_request_information(body), deadline=deadline)
        except GraphFault as fault:
            if fault.status in _REFUSED:
                raise DirectoryRefused(f"{fault.code}: {fault.message}") from fault
            raise fault.later() from fault
