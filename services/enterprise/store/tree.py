"""The statements that walk the tree of teams. Measured in docs/decisions/0005-the-team-tree-is-walked.md."""

from __future__ import annotations

MOST_DEEP = 50
"""How deep a team may stand; a team at the top is 1 deep. A walk (its parameter `deep`) goes no further."""

# The team above is looked up by a subquery, not by a join: so each step is one look into the primary key,
# whatever the planner believes of the table. `of` is the team where the walk began, `id` where it stands.
_WALK = """
WITH RECURSIVE line (of, id, above, steps) AS (
    SELECT id, id, parent_team_id, 0 FROM wrtn_teams
    WHERE tenant_id = %(tenant)s AND id = ANY (%(teams)s)
    UNION ALL
    SELECT of, above,
           (SELECT parent_team_id FROM wrtn_teams WHERE tenant_id = %(tenant)s AND id = line.above), steps + 1
    FROM line WHERE above IS NOT NULL AND steps < %(deep)s
)
"""

# Of each team, itself and the teams above it, the nearest first.
LINES = f"{_WALK} SELECT of, array_agg(id ORDER BY steps) FROM line GROUP BY of"  # noqa: S608 - constants

# A level in each step: one scan of the index for all its teams is a tenth of the work of a look for each.
_DOWN = """
WITH RECURSIVE below (ids, steps) AS (
    SELECT ARRAY[%(team)s::uuid], 1
    UNION ALL
    SELECT (SELECT array_agg(id) FROM wrtn_teams
            WHERE tenant_id = %(tenant)s AND parent_team_id = ANY (below.ids)), steps + 1
    FROM below WHERE ids IS NOT NULL AND steps <= %(deep)s
)"""

# How many levels the team and those below it take.
HEIGHT = f"{_DOWN} SELECT max(steps) FROM below WHERE ids IS NOT NULL"  # noqa: S608 - constants

# A team, and the place under a parent or at the top: its line, whether the parent is archived, and who stands
# there, in order. IS NOT DISTINCT FROM would read every team: no index answers it.
PLACE = f"""{_WALK}
SELECT team.parent_team_id, team.display_name, team.create_time, team.rank, team.version, team.archive_time,
       place.line, above.archive_time IS NOT NULL, beside.ids, beside.ranks
FROM wrtn_teams AS team
CROSS JOIN (SELECT array_agg(id ORDER BY steps) AS line FROM line) AS place
CROSS JOIN (
    SELECT array_agg(id ORDER BY rank, id) AS ids, array_agg(rank ORDER BY rank, id) AS ranks FROM (
        SELECT id, rank FROM wrtn_teams
        WHERE tenant_id = %(tenant)s AND parent_team_id = %(parent)s AND archive_time IS NULL
        UNION ALL
        SELECT id, rank FROM wrtn_teams
        WHERE tenant_id = %(tenant)s AND parent_team_id IS NULL AND %(parent)s::uuid IS NULL
            AND archive_time IS NULL
    ) AS sibling
) AS beside
LEFT JOIN wrtn_teams AS above ON above.tenant_id = %(tenant)s AND above.id = %(parent)s
WHERE team.tenant_id = %(tenant)s AND team.id = %(team)s
"""  # noqa: S608 - constants

# Records each team that a statement turned.
_RECORD = """
INSERT INTO wrtn_team_changes (tenant_id, id, sequence, team_id, kind, parent_team_id, display_name, rank,
                               archived, decider_employee_id, decider_credential_id, create_time)
SELECT tenant_id, uuidv7(), %(sequence)s + row_number() OVER (ORDER BY id), id, %(kind)s, parent_team_id,
       display_name, rank, archive_time IS NOT NULL, %(decider)s, %(credential)s, %(moment)s
FROM turned
"""

# Archives a team and all below it that is live.
ARCHIVE = f"""{_DOWN}, turned AS (
    UPDATE wrtn_teams SET archive_time = %(moment)s, archive_team_id = %(team)s, version = version + 1
    WHERE tenant_id = %(tenant)s AND archive_time IS NULL AND id IN (SELECT unnest(ids) FROM below)
    RETURNING *
){_RECORD}"""  # noqa: S608 - constants

# Restores all that was archived with the team.
RESTORE = f"""WITH turned AS (
    UPDATE wrtn_teams SET archive_time = NULL, archive_team_id = NULL, version = version + 1
    WHERE tenant_id = %(tenant)s AND archive_team_id = %(team)s RETURNING *
){_RECORD}"""  # noqa: S608 - constants

# Puts a team at its place. What stands below it stays as it is.
MOVE = f"""WITH turned AS (
    UPDATE wrtn_teams SET parent_team_id = %(parent)s, rank = %(rank)s, version = version + 1
    WHERE tenant_id = %(tenant)s AND id = %(team)s RETURNING *
){_RECORD}"""  # noqa: S608 - constants

_LIVE_WALK = _WALK.replace("AND id = ANY (%(teams)s)", "AND id = ANY (%(teams)s) AND archive_time IS NULL")

# What bears on a resource along the line, above it, and by default: each a look into an index.
_BEARING = """
SELECT json_agg(json_build_array(team_id, resource, effect, layer, locked)) FROM (
    SELECT here.* FROM line CROSS JOIN LATERAL (
        SELECT team_id, resource, effect, layer, locked FROM wrtn_grants
        WHERE tenant_id = %(tenant)s AND team_id = line.id AND resource = ANY (%(names)s) OFFSET 0
    ) AS here
    UNION ALL
    SELECT team_id, resource, effect, layer, locked FROM wrtn_grants
    WHERE tenant_id = %(tenant)s AND resource = ANY (%(names)s) AND team_id IS NULL
    UNION ALL
    SELECT NULL, kind, effect, %(default)s, false FROM wrtn_grant_defaults
    WHERE tenant_id = %(tenant)s AND kind = %(kind)s
) AS bearing
"""

# A team above a live one is live (archiving takes all below along), so only the first needs a look.
# What a deputy stands in for counts like the employee's own, while the deputyship lasts.
_ACCESS = f"""{_LIVE_WALK}
SELECT employee.id, employee.member_id, greatest(employee.title, standing_in.title), employee.duties,
       held.team_ids, held.roles, (SELECT array_agg(id ORDER BY steps) FROM line),
       EXISTS (SELECT FROM wrtn_visibilities WHERE tenant_id = %(tenant)s AND content_readable),
       standing_in.good_for{{bearing}}
FROM wrtn_employees AS employee
JOIN wrtn_enterprises AS enterprise ON enterprise.tenant_id = employee.tenant_id AND enterprise.state = 1
CROSS JOIN LATERAL (
    SELECT max(title) AS title, extract(epoch FROM min(end_time) - %(now)s)::float8 AS good_for
    FROM wrtn_deputies
    WHERE tenant_id = %(tenant)s AND employee_id = employee.id AND end_time > %(now)s
) AS standing_in
CROSS JOIN LATERAL (
    SELECT array_agg(role.team_id) AS team_ids, array_agg(role.role) AS roles FROM (
        SELECT team_id, max(role) AS role FROM (
            SELECT team_id, role FROM wrtn_companions
            WHERE tenant_id = %(tenant)s AND employee_id = employee.id AND role > 0
            UNION ALL
            SELECT team_id, role FROM wrtn_deputies
            WHERE tenant_id = %(tenant)s AND employee_id = employee.id AND role > 0 AND end_time > %(now)s
        ) AS either GROUP BY team_id
    ) AS role
    WHERE (SELECT archive_time IS NULL FROM wrtn_teams WHERE tenant_id = %(tenant)s AND id = role.team_id)
) AS held
WHERE employee.tenant_id = %(tenant)s AND employee.title > 0
"""  # noqa: S608 - constants

# Who somebody is: one row for an employee, none else; by the account opened for them, or by the member.
_BY_ACCOUNT = "AND employee.account_id = %(account)s"
_BY_MEMBER = "AND employee.member_id = %(member)s"
ACCESS = _ACCESS.format(bearing="") + _BY_ACCOUNT
ACCESS_OF_MEMBER = _ACCESS.format(bearing="") + _BY_MEMBER

# The same with what bears on a resource: all that a cold check asks.
ACCESS_TO = _ACCESS.format(bearing=f", ({_BEARING})") + _BY_ACCOUNT
ACCESS_TO_OF_MEMBER = _ACCESS.format(bearing=f", ({_BEARING})") + _BY_MEMBER
