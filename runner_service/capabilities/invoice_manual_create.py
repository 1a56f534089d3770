"""`cap:invoice.manual.create`: invoices of the tenant."""

from typing import ClassVar

from runner_service.capabilities.capability import Answers
from runner_service.capabilities.unoffered import Unoffered
from shared.capabilities import INVOICE_MANUAL_CREATE


def _refused(error: str) -> Answers:
    return {
        "create-manual-invoice": {
            "success": False,
            "invoice-id": None,
            "invoice-number": None,
            "status": None,
            "subtotal": None,
            "tax": None,
            "total": None,
            "error": error,
            "field-errors": None,
        }
    }


class InvoiceManualCreate(Unoffered):
    """The host has no invoicing yet."""

    name = INVOICE_MANUAL_CREATE
    interface = "alga:extension/invoicing"
    denials: ClassVar[Answers] = _refused(f"Permission denied: {INVOICE_MANUAL_CREATE} not granted")
    failures: ClassVar[Answers] = _refused("This version of the platform has no invoicing")
