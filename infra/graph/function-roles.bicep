// Microsoft Graph application permissions of the function app's identity. The assignment is the admin consent; no
// further consent is needed. The deployment requires the directory role Privileged Role Administrator; in tenants where
// another team holds that role, infra/scripts/grant-graph-roles.sh does the same.

extension microsoftGraphV1

@description('Object ID of the service principal of the managed identity.')
param principalId string

@description('Whether PHOTORELAY_SCOPE_GROUPS is set.')
param readsGroups bool

var permissions = concat([
  // For the subscription to users, and for their on-premises properties.
  'User.Read.All'
  // For the photos. photorelay writes nothing in Microsoft 365.
  'ProfilePhoto.Read.All'
], readsGroups ? [
  'GroupMember.Read.All'
] : [])

resource graph 'Microsoft.Graph/servicePrincipals@v1.0' existing = {
  appId: '00000003-0000-0000-c000-000000000000'
}

resource grants 'Microsoft.Graph/appRoleAssignedTo@v1.0' = [for permission in permissions: {
  principalId: principalId
  resourceId: graph.id
  appRoleId: filter(graph.appRoles, role => role.value == permission)[0].id
}]
