#!/usr/bin/env bash
# Locks the WORM policy of the audit container. CANNOT BE UNDONE: from then on, the retention can only be extended, and
# the container, the storage account and the resource group cannot be deleted before the last entry has expired.
#
#   infra/scripts/lock-audit.sh <storage account> <resource group>
#
# Deploy with auditLocked=true afterwards.
set -euo pipefail

if [[ $# -ne 2 ]]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
account=$1 group=$2

show() {
    az storage container immutability-policy show --account-name "$account" --resource-group "$group" \
        --container-name audit --query "$1" --output tsv
}

days=$(show immutabilityPeriodSinceCreationInDays)
echo "Each entry in $account/audit will be immutable for $days days. No one can shorten this period, now or later."
read -r -p "Type the name of the storage account to lock the policy: " answer
if [[ $answer != "$account" ]]; then
    echo "nothing was changed" >&2
    exit 1
fi
az storage container immutability-policy lock --account-name "$account" --resource-group "$group" \
    --container-name audit --if-match "$(show etag)" --output none
echo "locked; set auditLocked=true (azd env set PHOTORELAY_AUDIT_LOCKED true) before the next deployment"
