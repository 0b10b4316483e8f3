"""What Lambda calls, and any Python that has the PEX on its path."""

import cowsay


def handler(event, context=None):
    return {"statusCode": 200, "body": cowsay.get_output_string("cow", event["text"])}
