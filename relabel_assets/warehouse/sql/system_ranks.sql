-- The rank of each system by each labeler, side by side: a row per system and measure.
with rankings as (
    select * from system_rankings
),

final as (
    select
        corpus, measure, system,
        max(rank) filter (where labeler = 'final') as final,
        max(rank) filter (where labeler = 'student') as student,
        max(rank) filter (where labeler = 'teacher') as teacher,
        max(rank) filter (where labeler = 'reference') as reference,
        bool_or(is_related) as is_related,
        max(related_because) as related_because,
        max(n_unjudged) filter (where labeler = 'final') as n_unjudged
    from rankings
    group by all
    order by corpus, measure, final nulls last, system
)

select * from final
