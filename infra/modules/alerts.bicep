// Alerts. docs/runbook.md explains what each alert means, what to check and how to fix it.
//
// The function app logs the alerts that it can detect itself as lines with a field `alert`. Alerts that it cannot
// detect, because it does not run, query its requests.

param suffix string
param location string
param tags object
param workspaceId string
param email string

// Values of the field `alert`. severity: 1 users wait or a guarantee is broken, 2 check today, 3 check this week.
var signals = [
  {
    word: 'credential_refused'
    severity: 1
    means: 'Entra ID refuses the credential of the function app: nothing is delivered.'
  }
  {
    word: 'graph_unavailable'
    severity: 1
    means: 'Entra ID or Microsoft Graph does not answer, or refuses the application: nothing is delivered until it does.'
  }
  {
    word: 'trail_cut'
    severity: 0
    means: 'The audit trail of a user ends before an entry that an earlier checkpoint recorded: entries were deleted.'
  }
  {
    word: 'subscription_missing'
    severity: 2
    means: 'Microsoft Graph has no subscription of this deployment: only the sweep delivers photos, up to an hour late.'
  }
  {
    word: 'webhook_blind'
    severity: 2
    means: 'The sweep finds changes that no notification announced: photos arrive up to an hour late.'
  }
  {
    word: 'checks_waiting'
    severity: 1
    means: 'Check messages wait in the queue for too long: propagate does not keep up or does not run.'
  }
  {
    word: 'agent_silent'
    severity: 1
    means: 'No agent of a target has sent a heartbeat for too long: nothing is written to that target.'
  }
  {
    word: 'agent_paused'
    severity: 1
    means: 'Every agent of a target is paused: nothing is written to that target.'
  }
  {
    word: 'target_refuses'
    severity: 1
    means: 'A target refused several users in a row for one reason: the account, the server or a setting is wrong.'
  }
  {
    word: 'feed_withheld'
    severity: 1
    means: 'The feed of a target lost people or photos without a decision, so it is not published: importers keep the last one.'
  }
  {
    word: 'receipt_overdue'
    severity: 2
    means: 'Committed photos have had no receipt from a target for too long.'
  }
  {
    word: 'removals_surge'
    severity: 2
    means: 'More photos than usual have disappeared from Microsoft Graph at once. Targets keep them unless an operator approves the removals or the deletion threshold permits them.'
  }
  {
    word: 'photo_replaced'
    severity: 2
    means: 'Another writer has replaced photos that photorelay wrote. They wait for an operator.'
  }
  {
    word: 'two_users_one_object'
    severity: 2
    means: 'Two users are one object of a target and both live: neither gets a photo.'
  }
  {
    word: 'poison_not_empty'
    severity: 2
    means: 'Poison queues contain dead-lettered messages: the users that they name are not up to date.'
  }
]

var queries = [
  {
    name: 'notify_failing'
    severity: 1
    means: 'The webhook answers Microsoft Graph with 5xx: notifications are late, or lost until the next sweep.'
    query: 'AppRequests | where Name == "notifications" and toint(ResultCode) >= 500'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'sweep_absent'
    severity: 1
    means: 'No sweep has succeeded for three hours: the app does not run, or its logs do not arrive. No other alert is reliable.'
    query: 'AppRequests | where Name == "sweep" and Success == true'
    window: 'PT3H'
    operator: 'LessThan'
    threshold: 1
  }
]

resource recipients 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: 'ag-photorelay-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'photorelay'
    enabled: true
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource signalRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for signal in signals: {
  name: 'photorelay-${suffix}-${signal.word}'
  location: location
  tags: tags
  properties: {
    displayName: 'photorelay ${suffix}: ${signal.word}'
    description: '${signal.means} See docs/runbook.md, ${signal.word}.'
    severity: signal.severity
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT15M'
    // The sweep logs alerts once an hour; the window spans two sweeps, so that an alert resolves after it is fixed.
    windowSize: 'PT2H'
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: 'AppTraces | where Message startswith "{" and Message has "${signal.word}" | where tostring(parse_json(Message).alert) == "${signal.word}"'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: {
      actionGroups: empty(email) ? [] : [
        recipients.id
      ]
    }
  }
}]

resource queryRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in queries: {
  name: 'photorelay-${suffix}-${rule.name}'
  location: location
  tags: tags
  properties: {
    displayName: 'photorelay ${suffix}: ${rule.name}'
    description: '${rule.means} See docs/runbook.md, ${rule.name}.'
    severity: rule.severity
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: rule.window
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: rule.operator
          threshold: rule.threshold
        }
      ]
    }
    actions: {
      actionGroups: empty(email) ? [] : [
        recipients.id
      ]
    }
  }
}]
