"""What histories used besides tokens: images, seconds, requests, tokens written to a cache."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Adds the columns; a resent frame is compared with them, and the older version leaves them empty."""
    op.execute(
        "ALTER TABLE wrtn_histories ADD COLUMN cache_write_tokens bigint, ADD COLUMN requests bigint,"
        " ADD COLUMN images bigint, ADD COLUMN seconds bigint"
    )
