#!/usr/bin/env bash
# Grants Microsoft Graph application permissions to the function app's identity, for tenants in which another team does
# this (grantGraphRoles=false). Running it again changes nothing.
#
#   infra/scripts/grant-graph-roles.sh <FUNCTION_IDENTITY_PRINCIPAL_ID> [--with-groups]
#
# --with-groups also grants GroupMember.Read.All, for PHOTORELAY_SCOPE_GROUPS. Requires the role Privileged Role
# Administrator. To undo: Entra admin center, Enterprise applications, the identity, Permissions.
set -euo pipefail

if [[ $# -lt 1 || $# -gt 2 ]]; then
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
principal=$1
permissions=(User.Read.All ProfilePhoto.Read.All)
if [[ ${2-} == --with-groups ]]; then
    permissions+=(GroupMember.Read.All)
fi

graph=https://graph.microsoft.com/v1.0
resource=$(az ad sp show --id 00000003-0000-0000-c000-000000000000 --query id --output tsv)
granted=$(az rest --method get --url "$graph/servicePrincipals/$principal/appRoleAssignments" \
    --query 'value[].appRoleId' --output tsv)
for permission in "${permissions[@]}"; do
    role=$(az ad sp show --id "$resource" --query "appRoles[?value=='$permission'].id | [0]" --output tsv)
    if grep -qx "$role" <<<"$granted"; then
        echo "$permission: already granted"
        continue
    fi
    az rest --method post --url "$graph/servicePrincipals/$principal/appRoleAssignments" --output none \
        --body "{\"principalId\":\"$principal\",\"resourceId\":\"$resource\",\"appRoleId\":\"$role\"}"
    echo "$permission: granted"
done
