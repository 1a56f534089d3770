"""The guest's world as data: what `wit/*.wit` says, for type check, codec and linker.

The single table of names and shapes in the runner; a test parses the WIT and compares.
"""

from collections.abc import Mapping
from types import MappingProxyType

from runner_service.abi.types import (
    EnumType,
    FunctionType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

BOOL, U8, U16, U32, U64 = (
    Primitive.BOOL,
    Primitive.U8,
    Primitive.U16,
    Primitive.U32,
    Primitive.U64,
)
F64, STRING = Primitive.F64, Primitive.STRING
BYTES = ListType(U8)
MAYBE_STRING, MAYBE_BOOL, MAYBE_F64 = OptionType(STRING), OptionType(BOOL), OptionType(F64)


def _record(**fields: Type) -> RecordType:
    return RecordType(tuple((name.replace("_", "-"), of) for name, of in fields.items()))


def _function(*parameters: Type, result: Type | None = None) -> FunctionType:
    return FunctionType(parameters, result)


CONTEXT_DATA = _record(
    request_id=MAYBE_STRING,
    tenant_id=STRING,
    extension_id=STRING,
    install_id=MAYBE_STRING,
    version_id=MAYBE_STRING,
)
SECRET_ERROR = EnumType(("missing", "denied", "expired", "internal"))
HTTP_HEADER = _record(name=STRING, value=STRING)
HTTP_REQUEST = _record(
    method=STRING, url=STRING, headers=ListType(HTTP_HEADER), body=OptionType(BYTES)
)
HTTP_RESPONSE = _record(status=U16, headers=ListType(HTTP_HEADER), body=OptionType(BYTES))
HTTP_ERROR = EnumType(("invalid-url", "not-allowed", "transport", "internal"))
STORAGE_ERROR = EnumType(("missing", "conflict", "denied", "internal"))
STORAGE_ENTRY = _record(namespace=STRING, key=STRING, value=BYTES, revision=OptionType(U64))
PROXY_ERROR = EnumType(("route-not-found", "denied", "bad-request", "internal"))
USER_DATA = _record(
    tenant_id=STRING,
    client_name=STRING,
    user_id=STRING,
    user_email=STRING,
    user_name=STRING,
    user_type=STRING,
)
USER_DATA_V2 = RecordType(
    (
        *USER_DATA.fields,
        ("client-id", MAYBE_STRING),
        ("additional-fields", ListType(TupleType((STRING, STRING)))),
    )
)
USER_ERROR = EnumType(("not-available", "not-allowed"))
SCHEDULER_ERROR = EnumType(
    ("not-found", "validation-failed", "quota-exceeded", "denied", "internal")
)
SCHEDULE_INFO = _record(
    id=STRING,
    endpoint_path=STRING,
    endpoint_method=STRING,
    name=MAYBE_STRING,
    cron=STRING,
    timezone=STRING,
    enabled=BOOL,
    payload=MAYBE_STRING,
    last_run_at=MAYBE_STRING,
    last_run_status=MAYBE_STRING,
    last_error=MAYBE_STRING,
    created_at=MAYBE_STRING,
)
ENDPOINT_INFO = _record(id=STRING, method=STRING, path=STRING, handler=STRING, schedulable=BOOL)
CREATE_SCHEDULE_INPUT = _record(
    endpoint=STRING,
    cron=STRING,
    timezone=MAYBE_STRING,
    enabled=MAYBE_BOOL,
    name=MAYBE_STRING,
    payload=MAYBE_STRING,
)
CREATE_SCHEDULE_RESULT = _record(
    success=BOOL, schedule_id=MAYBE_STRING, error=MAYBE_STRING, field_errors=MAYBE_STRING
)
UPDATE_SCHEDULE_INPUT = _record(
    endpoint=MAYBE_STRING,
    cron=MAYBE_STRING,
    timezone=MAYBE_STRING,
    enabled=MAYBE_BOOL,
    name=MAYBE_STRING,
    payload=MAYBE_STRING,
)
UPDATE_SCHEDULE_RESULT = _record(success=BOOL, error=MAYBE_STRING, field_errors=MAYBE_STRING)
DELETE_SCHEDULE_RESULT = _record(success=BOOL, error=MAYBE_STRING)
DISCOUNT_TYPE = EnumType(("percentage", "fixed"))
MANUAL_INVOICE_ITEM_INPUT = _record(
    service_id=STRING,
    quantity=F64,
    description=STRING,
    rate=F64,
    is_discount=MAYBE_BOOL,
    discount_type=OptionType(DISCOUNT_TYPE),
    applies_to_item_id=MAYBE_STRING,
    applies_to_service_id=MAYBE_STRING,
)
CREATE_MANUAL_INVOICE_INPUT = _record(
    client_id=STRING,
    items=ListType(MANUAL_INVOICE_ITEM_INPUT),
    invoice_date=MAYBE_STRING,
    due_date=MAYBE_STRING,
    po_number=MAYBE_STRING,
)
CREATE_MANUAL_INVOICE_RESULT = _record(
    success=BOOL,
    invoice_id=MAYBE_STRING,
    invoice_number=MAYBE_STRING,
    status=MAYBE_STRING,
    subtotal=MAYBE_F64,
    tax=MAYBE_F64,
    total=MAYBE_F64,
    error=MAYBE_STRING,
    field_errors=MAYBE_STRING,
)
CLIENT_READ_ERROR = EnumType(("not-allowed", "invalid-input", "internal"))
CLIENT_SUMMARY = _record(
    client_id=STRING,
    client_name=STRING,
    client_type=MAYBE_STRING,
    is_inactive=BOOL,
    default_currency_code=MAYBE_STRING,
    account_manager_id=MAYBE_STRING,
    account_manager_name=MAYBE_STRING,
    billing_email=MAYBE_STRING,
)
CLIENTS_LIST_INPUT = _record(
    search=MAYBE_STRING,
    include_inactive=MAYBE_BOOL,
    page=OptionType(U32),
    page_size=OptionType(U32),
)
CLIENTS_LIST_RESULT = _record(
    items=ListType(CLIENT_SUMMARY), total_count=U32, page=U32, page_size=U32
)
SERVICE_READ_ERROR = EnumType(("not-allowed", "invalid-input", "internal"))
SERVICE_ITEM_KIND = EnumType(("service", "product"))
SERVICE_BILLING_METHOD = EnumType(("fixed", "hourly", "usage"))
SERVICE_SUMMARY = _record(
    service_id=STRING,
    service_name=STRING,
    item_kind=SERVICE_ITEM_KIND,
    billing_method=SERVICE_BILLING_METHOD,
    service_type_id=MAYBE_STRING,
    service_type_name=MAYBE_STRING,
    default_rate=F64,
    unit_of_measure=STRING,
    is_active=BOOL,
    sku=MAYBE_STRING,
)
SERVICES_LIST_INPUT = _record(
    search=MAYBE_STRING,
    item_kind=OptionType(SERVICE_ITEM_KIND),
    is_active=MAYBE_BOOL,
    billing_method=OptionType(SERVICE_BILLING_METHOD),
    page=OptionType(U32),
    page_size=OptionType(U32),
)
SERVICES_LIST_RESULT = _record(
    items=ListType(SERVICE_SUMMARY), total_count=U32, page=U32, page_size=U32
)
EXECUTE_REQUEST = _record(context=CONTEXT_DATA, http=HTTP_REQUEST)
EXECUTE_RESPONSE = _record(status=U16, headers=ListType(HTTP_HEADER), body=OptionType(BYTES))
CONFIG_ERROR = VariantType((("upstream", STRING), ("io", STRING)))

HANDLER_NAME = "handler"
HANDLER = _function(EXECUTE_REQUEST, result=EXECUTE_RESPONSE)

_LOG = _function(STRING)

IMPORTS: Mapping[str, Mapping[str, FunctionType]] = MappingProxyType(
    {
        "alga:extension/context": {"get-context": _function(result=CONTEXT_DATA)},
        "alga:extension/secrets": {
            "get": _function(STRING, result=ResultType(STRING, SECRET_ERROR)),
            "list-keys": _function(result=ListType(STRING)),
        },
        "alga:extension/http": {
            "fetch": _function(HTTP_REQUEST, result=ResultType(HTTP_RESPONSE, HTTP_ERROR)),
        },
        "alga:extension/storage": {
            "get": _function(STRING, STRING, result=ResultType(STORAGE_ENTRY, STORAGE_ERROR)),
            "put": _function(STORAGE_ENTRY, result=ResultType(STORAGE_ENTRY, STORAGE_ERROR)),
            "delete": _function(STRING, STRING, result=ResultType(None, STORAGE_ERROR)),
            "list-entries": _function(
                STRING, MAYBE_STRING, result=ResultType(ListType(STORAGE_ENTRY), STORAGE_ERROR)
            ),
        },
        "alga:extension/logging": {"log-info": _LOG, "log-warn": _LOG, "log-error": _LOG},
        "alga:extension/ui-proxy": {
            "call-route": _function(
                STRING, OptionType(BYTES), result=ResultType(BYTES, PROXY_ERROR)
            ),
        },
        "alga:extension/user": {"get-user": _function(result=ResultType(USER_DATA, USER_ERROR))},
        "alga:extension/user-v2": {
            "get-user": _function(result=ResultType(USER_DATA_V2, USER_ERROR))
        },
        "alga:extension/scheduler": {
            "list-schedules": _function(
                result=ResultType(ListType(SCHEDULE_INFO), SCHEDULER_ERROR)
            ),
            "get-schedule": _function(
                STRING, result=ResultType(OptionType(SCHEDULE_INFO), SCHEDULER_ERROR)
            ),
            "create-schedule": _function(CREATE_SCHEDULE_INPUT, result=CREATE_SCHEDULE_RESULT),
            "update-schedule": _function(
                STRING, UPDATE_SCHEDULE_INPUT, result=UPDATE_SCHEDULE_RESULT
            ),
            "delete-schedule": _function(STRING, result=DELETE_SCHEDULE_RESULT),
            "get-endpoints": _function(result=ResultType(ListType(ENDPOINT_INFO), SCHEDULER_ERROR)),
        },
        "alga:extension/invoicing": {
            "create-manual-invoice": _function(
                CREATE_MANUAL_INVOICE_INPUT, result=CREATE_MANUAL_INVOICE_RESULT
            ),
        },
        "alga:extension/clients": {
            "list-clients": _function(
                CLIENTS_LIST_INPUT, result=ResultType(CLIENTS_LIST_RESULT, CLIENT_READ_ERROR)
            ),
            "get-client": _function(
                STRING, result=ResultType(OptionType(CLIENT_SUMMARY), CLIENT_READ_ERROR)
            ),
        },
        "alga:extension/services": {
            "list-services": _function(
                SERVICES_LIST_INPUT, result=ResultType(SERVICES_LIST_RESULT, SERVICE_READ_ERROR)
            ),
            "get-service": _function(
                STRING, result=ResultType(OptionType(SERVICE_SUMMARY), SERVICE_READ_ERROR)
            ),
        },
        "wasi:config/store@0.2.0-rc.1": {
            "get": _function(STRING, result=ResultType(MAYBE_STRING, CONFIG_ERROR)),
            "get-all": _function(
                result=ResultType(ListType(TupleType((STRING, STRING))), CONFIG_ERROR)
            ),
        },
    }
)
