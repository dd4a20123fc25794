"""Drives graph-sim with Microsoft's own clients, as they come: azure-identity, MSAL and msgraph-sdk for Python, and
azure-identity for Rust, which is the program RUST_CLIENT.

    python drive.py GRAPH_SIM RUST_CLIENT

Prints one line that says what was driven. Ends with 1 and the difference if a client or the simulator's own record of
violations disagrees with what the simulator's tenant holds.
"""

import asyncio
import datetime
import json
import logging
import os
import subprocess
import sys
import tempfile
import urllib.request
from importlib.metadata import version
from pathlib import Path

from notification_endpoint import NotificationEndpoint
from tls_front import TlsFront, make_certificates

USERS = 130
SCOPE = "https://graph.microsoft.com/.default"
PATIENCE = 30


def check(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: got {got!r}, wanted {wanted!r}")


class Simulator:
    """The program, behind a front that ends TLS."""

    def __init__(self, program, certificate):
        front = TlsFront(certificate)
        self.url = front.url
        arguments = ["--users", str(USERS), "--with-photo", "0.9", "--time-scale", "0.001", "--public-url", front.url]
        self.process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().split()[-1]
        front.target = ("127.0.0.1", int(self.address.rsplit(":", 1)[1]))
        shown = [self.process.stdout.readline().split() for _ in range(3)]
        self.tenant, self.client, self.secret = (words[-1] for words in shown)

    def control(self, method, path):
        request = urllib.request.Request(f"{self.address}/_sim/{path}", method=method)
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def count(self, call):
        return self.control("GET", "requests")["counters"].get(call, 0)

    def violations(self):
        return [violation["what"] for violation in self.control("GET", "violations")["violations"]]

    def stop(self):
        self.process.terminate()
        check("the simulator's end", self.process.wait(PATIENCE), 0)


def credential(simulator, secret):
    from azure.identity import ClientSecretCredential

    # Otherwise MSAL asks login.microsoftonline.com about the authority, which does not know it.
    return ClientSecretCredential(
        simulator.tenant, simulator.client, secret, authority=simulator.url, disable_instance_discovery=True
    )


def sign_in(simulator, rust_client):
    """azure-identity for Rust and for Python, and MSAL, which may be told where to ask about the authority."""
    import msal

    arguments = [rust_client, simulator.url, simulator.tenant, simulator.client, simulator.secret]
    check("azure-identity for Rust", subprocess.run(arguments, timeout=PATIENCE).returncode, 0)
    check("azure-identity", credential(simulator, simulator.secret).get_token(SCOPE).token.count("."), 2)
    app = msal.ConfidentialClientApplication(
        simulator.client,
        client_credential=simulator.secret,
        authority=f"{simulator.url}/{simulator.tenant}",
        instance_discovery=f"{simulator.url}/common/discovery/instance",
    )
    check("MSAL", app.acquire_token_for_client([SCOPE]).get("token_type"), "Bearer")
    check("discoveries", simulator.count("GET /common/discovery/instance"), 1)


async def pages(builder, first):
    """The items of all pages, as the SDK follows the links, and the last page."""
    page, items = first, []
    while True:
        items.extend(page.value)
        if not page.odata_next_link:
            return items, page
        page = await builder.with_url(page.odata_next_link).get()


async def refusal(call):
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError

    try:
        await call
    except ODataError as error:
        return error.response_status_code, error.error.code
    return None


async def users_and_photos(simulator, graph):
    users, _ = await pages(graph.users, await graph.users.get())
    check("users", (len(users), len({user.id for user in users})), (USERS, USERS))
    user = graph.users.by_user_id(users[0].id)
    check("a user", (await user.get()).user_principal_name, users[0].user_principal_name)
    by_name = graph.users.by_user_id(users[0].user_principal_name)
    check("a user by name", (await by_name.get()).id, users[0].id)

    with_photo, without = [], []
    for user in users[:40]:
        photo = graph.users.by_user_id(user.id).photo
        refused = await refusal(photo.get())
        (with_photo if refused is None else without).append(user.id)
        check("a missing photo", refused in (None, (404, "ImageNotFound")), True)
    check("people with and without a photo", bool(with_photo) and bool(without), True)

    user = graph.users.by_user_id(with_photo[0])
    metadata = await user.photo.get()
    check("the photo's metadata", (metadata.id, metadata.width, metadata.height), ("648x648", 648, 648))
    check("the photo's type", metadata.additional_data["@odata.mediaContentType"], "image/jpeg")
    picture = await user.photo.content.get()
    check("the photo's bytes", (picture[:2], len(picture) > 1000), (b"\xff\xd8", True))
    small = await user.photos.by_profile_photo_id("48x48").content.get()
    check("a small photo's bytes", (small[:2], len(small) < len(picture)), (b"\xff\xd8", True))
    check("an unknown user", await refusal(graph.users.by_user_id(simulator.tenant).get()), (404, "Request_ResourceNotFound"))
    return users, with_photo, {with_photo[0]: picture}


async def delta(simulator, graph, users):
    first, last = await pages(graph.users.delta, await graph.users.delta.get())
    check("the first round of delta", {user.id for user in first}, {user.id for user in users})
    second = await graph.users.delta.with_url(last.odata_delta_link).get()
    check("the second round of delta", (second.value, bool(second.odata_delta_link)), ([], True))


async def batch(graph, with_photo, pictures):
    """Twenty items: metadata of photos, one picture, and an item that names an order in msgraph-core's own spelling.

    This version of the SDK reads the statuses and the pictures of a batch; of JSON bodies it keeps nothing.
    """
    from msgraph_core.requests.batch_request_content import BatchRequestContent
    from msgraph_core.requests.batch_request_item import BatchRequestItem

    def item(builder, name, depends_on=None):
        request = BatchRequestItem(builder.to_get_request_information(), name, depends_on)
        # Graph takes no absolute URL, and msgraph-core writes one: this is what its users do.
        request.url = request.url.removeprefix(graph.request_adapter.base_url)
        return request

    photos = [graph.users.by_user_id(user).photo for user in with_photo[:18]]
    items = [item(photo, f"photo-{index}") for index, photo in enumerate(photos)]
    items.append(item(photos[0].content, "picture"))
    items.append(item(graph.users.by_user_id(with_photo[0]), "user", ["picture"]))
    content = BatchRequestContent()
    for request in items:
        content.add_request(request.id, request)
    response = await graph.batch.post(content)
    check("the batch's statuses", response.get_response_status_codes(), {request.id: 200 for request in items})
    picture = response.get_response_stream_by_id("picture").read()
    check("the batch's picture", picture, pictures[with_photo[0]])


async def subscriptions(simulator, graph, with_photo):
    from msgraph.generated.models.subscription import Subscription

    def ends(hours):
        return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)

    endpoint = NotificationEndpoint()
    wanted = Subscription(
        change_type="updated",
        resource="users",
        notification_url=endpoint.url,
        client_state="a-secret-state",
        expiration_date_time=ends(24),
    )
    made = await graph.subscriptions.post(wanted)
    check("handshakes", endpoint.handshakes, 1)
    check("the same subscription again", await refusal(graph.subscriptions.post(wanted)), (409, "ObjectIdentifierInUse"))
    listed = await graph.subscriptions.get()
    check("subscriptions", [one.id for one in listed.value], [made.id])

    simulator.control("POST", f"users/{with_photo[0]}/photo/next")
    notified = await asyncio.to_thread(endpoint.items.get, timeout=PATIENCE)
    got = (notified["subscriptionId"], notified["clientState"], notified["resourceData"]["id"])
    check("the notification", got, (made.id, "a-secret-state", with_photo[0]))

    subscription = graph.subscriptions.by_subscription_id(made.id)
    later = ends(48)
    renewed = await subscription.patch(Subscription(expiration_date_time=later))
    check("the renewed end", abs(renewed.expiration_date_time - later) < datetime.timedelta(seconds=1), True)
    await subscription.delete()
    check("the deleted subscription", await refusal(subscription.get()), (404, "ResourceNotFound"))


def wrong_secret(simulator):
    from azure.core.exceptions import ClientAuthenticationError

    try:
        credential(simulator, "wrong").get_token(SCOPE)
    except ClientAuthenticationError as error:
        check("a wrong secret", "AADSTS7000215" in str(error), True)
    else:
        sys.exit("a wrong secret was accepted")


async def what_graph_has_and_the_simulator_has_not(graph):
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from msgraph.generated.users.users_request_builder import UsersRequestBuilder

    query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(filter="userType eq 'Member'")
    refused = await refusal(graph.users.get(RequestConfiguration(query_parameters=query)))
    check("$filter", refused, (501, "NotSupportedBySimulator"))


async def drive(simulator):
    from azure.identity.aio import ClientSecretCredential
    from msgraph import GraphServiceClient

    async with ClientSecretCredential(
        simulator.tenant, simulator.client, simulator.secret, authority=simulator.url
    ) as credential:
        graph = GraphServiceClient(credential, scopes=[SCOPE])
        graph.request_adapter.base_url = f"{simulator.url}/v1.0"
        users, with_photo, pictures = await users_and_photos(simulator, graph)
        await delta(simulator, graph, users)
        await batch(graph, with_photo, pictures)
        await subscriptions(simulator, graph, with_photo)
        # What was refused up to here, no client could have known before.
        check("violations", simulator.violations(), [])
        await what_graph_has_and_the_simulator_has_not(graph)
    wrong_secret(simulator)
    recorded = ["not_simulated", "sign-in"]
    check("what is recorded", [violation.split()[0] for violation in simulator.violations()], recorded)


def main(program, rust_client):
    with tempfile.TemporaryDirectory() as folder:
        authority, certificate = make_certificates(Path(folder))
        # requests reads the first; aiohttp, httpx and rustls the second.
        os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = str(authority)
        simulator = Simulator(program, certificate)
        # A wrong secret is meant, and no warning.
        logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
        try:
            sign_in(simulator, rust_client)
            asyncio.run(drive(simulator))
        finally:
            simulator.stop()
    clients = ", ".join(f"{name} {version(name)}" for name in ("azure-identity", "msal", "msgraph-sdk"))
    print(
        f"azure-identity for Rust, {clients}: signed in, {USERS} users in pages, photo metadata and bytes, users delta, a batch of 20, "
        "a subscription made, renewed, notified and deleted"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
